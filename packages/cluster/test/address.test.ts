/** Which address a host announces: of which family, and none that other hosts cannot rely on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePrefix } from '@netyard/core';
import { announcedAddress, type HostPrefix } from '../src/address.ts';
import { checkSettings } from '../src/options.ts';
import { parseTransientAddresses } from '../src/transient-addresses.ts';

interface Facts {
  /** Source address towards etcd, and through the default route. */
  etcd?: string;
  uplink?: string;
  own?: HostPrefix[];
  containers?: string;
}

const announced = ({ etcd, uplink, own = [], containers }: Facts): Promise<string> =>
  announcedAddress({ localAddress: () => etcd }, { uplink: async () => uplink, prefixes: () => own }, containers);
const transient = (text: string): HostPrefix => ({ ...parsePrefix(text), transient: true });

test('a host announces its source address towards etcd, of IPv4 if it has any', async () => {
  assert.equal(await announced({ etcd: '172.16.0.1', uplink: '10.0.0.1' }), '172.16.0.1');
  assert.equal(await announced({ etcd: '127.0.0.1', uplink: '10.0.0.1' }), '10.0.0.1');
  assert.equal(await announced({ etcd: '2001:db8::1', uplink: '10.0.0.1' }), '10.0.0.1');
  assert.equal(await announced({ etcd: '2001:db8::1', uplink: '2001:db8:1::1' }), '2001:db8::1');
  assert.equal(await announced({ etcd: '::1', uplink: '2001:db8:1::1' }), '2001:db8:1::1');
  assert.equal(await announced({ etcd: 'fe80::1%eth0', uplink: 'fd00::1' }), 'fd00::1');
  const bridge = parsePrefix('192.168.7.1/24');
  assert.equal(await announced({ etcd: '2001:db8::1', own: [bridge] }), '2001:db8::1', 'rather than that of a bridge');
  assert.equal(
    await announced({ uplink: '192.168.7.1', own: [bridge], containers: '192.168.7.0/24', etcd: 'fd00::2' }),
    'fd00::2',
  );
});

test('without a route, the only address of a family is announced', async () => {
  const own = [parsePrefix('172.16.0.1/16'), parsePrefix('fd00::1/64'), parsePrefix('fd00::2/64')];
  assert.equal(await announced({ own }), '172.16.0.1');
  assert.equal(await announced({ own: [parsePrefix('fd00::1/64'), transient('fd00::2/64')] }), 'fd00::1');
  await assert.rejects(announced({ own: own.slice(1) }), /cannot determine the address/);
  await assert.rejects(announced({ etcd: '127.0.0.1' }), /cannot determine the address/);
});

test('a temporary source address is replaced by another one of the same subnet', async () => {
  const own = [transient('2001:db8::99/64'), parsePrefix('fd00::1/64'), parsePrefix('2001:db8::1/64')];
  assert.equal(await announced({ etcd: '2001:db8::99', own }), '2001:db8::1');
  assert.equal(await announced({ etcd: '2001:db8::99', own: own.slice(0, 2) }), '2001:db8::99', 'there is no other');
});

test('temporary, deprecated and tentative addresses are found in /proc/net/if_inet6', () => {
  const text = [
    '00000000000000000000000000000001 01 80 10 80       lo',
    '20010db8000000000000000000000001 02 40 00 80     eth0',
    '20010db8000000000000000000000099 02 40 00 01     eth0',
    '20010db8000000000000000000000020 02 40 00 a0     eth0',
    'fd000000000000000000000000000040 02 40 00 40     eth0',
    '',
  ].join('\n');
  assert.deepEqual(parseTransientAddresses(text), new Set(['2001:db8::99', '2001:db8::20', 'fd00::40']));
});

test('--cluster-address is one that other hosts reach', () => {
  const check = (address: string) => () =>
    checkSettings({ url: 'etcd://a', hostName: 'h', pool: {}, leaseSeconds: 30, reservationSeconds: 30, address });
  for (const address of ['172.16.0.1', '2001:db8::1', 'FD00::1']) check(address)();
  for (const address of ['127.0.0.1', '0.0.0.0', '224.0.0.1', '::1', '::', 'fe80::1', 'fe80::1%eth0', 'ff02::1', 'h'])
    assert.throws(
      check(address),
      /invalid --cluster-address .*: must be an address of this host that other hosts reach/,
    );
});
