/** Addresses of new endpoints are announced to their neighbours, on a real kernel: their caches take the new MAC. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openKernel } from '@netyard/kernel';
import { eventually, inFreshHost, sh } from '@netyard/testkit';
import { on, Testbed } from './testbed.ts';

const host = inFreshHost(import.meta.url);
const key = 'com.docker.network.advertise_addr_';
const wrong = '02:00:00:00:00:99';

describe('announced addresses', host, () => {
  const kernel = openKernel();
  const testbed = new Testbed({ kernel });
  const { networks } = testbed;
  before(async () => {
    sh(`ip netns add neighbour; ip link add lan0 type veth peer name eth0 netns neighbour
      ip link set lan0 up; ip -n neighbour link set eth0 up; ip -n neighbour link set lo up
      ip -n neighbour address add 192.0.2.9/24 dev eth0; ip -n neighbour address add 2001:db8::9/64 dev eth0 nodad`);
    await networks.start([]);
    const pools = { v4: [{ subnet: '192.0.2.0/24' }], v6: [{ subnet: '2001:db8::/64' }] };
    const options = { parent: 'lan0', [`${key}ms`]: '100' };
    await networks.create({ name: 'lan', driver: 'macvlan', ipam: pools, options });
    for (const [name, own] of [
      ['loud', { [`${key}nmsgs`]: '2', [`${key}ms`]: '100' }],
      ['quiet', {}],
    ] as const) {
      const v6 = [{ subnet: name === 'loud' ? 'fd00:1::/64' : 'fd00:2::/64' }];
      const v4 = [{ subnet: name === 'loud' ? '10.1.0.0/24' : '10.2.0.0/24' }];
      await networks.create({ name, driver: 'bridge', ipam: { v4, v6 }, options: own });
    }
  });
  after(async () => {
    await testbed.close();
    kernel.close();
  });

  /** Enters a wrong MAC for the addresses, as of a container that had them before. */
  const confuse = (ns: string, addresses: string[]): void => {
    for (const address of addresses) sh(`ip -n ${ns} neighbour replace ${address} lladdr ${wrong} dev eth0 nud stale`);
  };
  const known = (ns: string, addresses: string[]): string[] =>
    addresses.map((address) => / lladdr (\S+)/.exec(sh(`ip -n ${ns} neighbour show ${address}`))?.[1] ?? '');
  const nameOf = (path: string | undefined): string => path?.split('/').at(-1) ?? '';

  test('neighbours on a bridge take the MAC of a container that starts, if the network has the options', async () => {
    const quiet = nameOf((await testbed.run('a', on('quiet'))).netnsPath);
    const ofQuiet = ['10.2.0.3', 'fd00:2::3'];
    confuse(quiet, ofQuiet);
    await testbed.run('b', on('quiet'));
    const near = nameOf((await testbed.run('near', on('loud'))).netnsPath);
    const ofLoud = ['10.1.0.3', 'fd00:1::3'];
    confuse(near, ofLoud);
    const { endpoints } = await testbed.run('web', on('loud'));
    const [{ mac = '', addresses = {} } = {}] = endpoints;
    assert.deepEqual([addresses.v4?.address, addresses.v6?.address], ofLoud);
    await eventually('both families are announced', () => known(near, ofLoud).every((one) => one === mac));
    assert.deepEqual(known(quiet, ofQuiet), [wrong, wrong]);
  });

  test('so do hosts on the segment of a macvlan network', async () => {
    const addresses = ['192.0.2.77', '2001:db8::77'];
    confuse('neighbour', addresses);
    const [v4 = '', v6 = ''] = addresses;
    const { endpoints } = await testbed.run('web2', {
      mode: { kind: 'network', ref: 'lan' },
      endpoints: [{ network: 'lan', addresses: { v4, v6 } }],
    });
    const mac = endpoints[0]?.mac ?? '';
    await eventually('both families are announced', () => known('neighbour', addresses).every((one) => one === mac));
  });
});
