import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { assertBytes } from '@netyard/testkit';
import { Attributes, encodeAttributes, u8 } from '../attribute.ts';
import { decodeFdb, encodeFdb } from './fdb.ts';
import { decodeLink, encodeVxlanLink } from './link-message.ts';
import { checkVxlan, decodeVxlan, encodeLocal, encodeVxlan } from './vxlan-message.ts';

const settings = { id: 28281, port: 4789, learning: false };

test('the local address of a tunnel is an attribute of its family', () => {
  assertBytes(encodeAttributes(encodeLocal('192.0.2.1')), [['0800 0400 c0000201', 'IFLA_VXLAN_LOCAL']]);
  assertBytes(encodeAttributes(encodeLocal('2001:db8::1')), [
    ['1400 1100 20010db800000000 0000000000000001', 'IFLA_VXLAN_LOCAL6'],
  ]);
  assert.deepEqual(encodeLocal(undefined), []);
  checkVxlan({ id: 1, port: 4789, local: 'fd00::1' });
  for (const local of ['fe80::1%eth0', 'host'])
    assert.throws(
      () => checkVxlan({ id: 1, port: 4789, local }),
      (error) => isNetyardError(error, 'invalid'),
    );
});

test('a VXLAN link of either family is decoded as it was encoded', () => {
  for (const local of ['192.0.2.1', '2001:db8::1']) {
    const { vxlan } = decodeLink(encodeVxlanLink({ name: 'v0' }, { ...settings, local }));
    assert.deepEqual(vxlan, { ...settings, local, zeroChecksums: false });
  }
});

test('UDP without checksums is noticed in either direction', () => {
  const IFLA_VXLAN_UDP_ZERO_CSUM6 = { TX: 19, RX: 20 };
  const decode = (...more: ReturnType<typeof u8>[]): boolean =>
    decodeVxlan(new Attributes(encodeAttributes([...encodeVxlan({ ...settings, local: 'fd00::1' }), ...more])))
      .zeroChecksums;
  for (const type of Object.values(IFLA_VXLAN_UDP_ZERO_CSUM6))
    assert.deepEqual([decode(u8(type, 0)), decode(u8(type, 1))], [false, true]);
});

test('bridge fdb add 06:01:02:03:04:05 dev #2 dst 2001:db8::2', () => {
  const entry = { linkIndex: 2, mac: '06:01:02:03:04:05', remote: '2001:db8::2' };
  assertBytes(encodeFdb(entry), [
    ['07 00 0000 02000000 c000 02 00', 'ndmsg: AF_BRIDGE, index 2, NUD_NOARP and PERMANENT, NTF_SELF'],
    ['0a00 0200 060102030405 0000', 'NDA_LLADDR'],
    ['1400 0100 20010db800000000 0000000000000002', 'NDA_DST'],
  ]);
  assert.deepEqual(decodeFdb(encodeFdb(entry)), { ...entry, permanent: true });
});
