/** Tests the daemon's options of the default bridge on a kernel in memory: its subnets, IPv6 on and off, gateways. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { FakeKernel } from '@netyard/testkit';
import type { NetworkSettings } from '../src/index.ts';
import { openFakeTestbed, refuses } from './fake-testbed.ts';
import { on, type Testbed } from './testbed.ts';

let kernel: FakeKernel;
let testbed: Testbed;

beforeEach(async () => {
  ({ kernel, testbed } = await openFakeTestbed());
});
afterEach(() => testbed.close());

/** The daemon ends and starts again with these options. */
async function restart(settings: Partial<NetworkSettings>, running: readonly string[] = []): Promise<void> {
  await testbed.networks.close();
  await testbed.open({ daemonId: 'one', ...settings }).start(running);
}
const ipam = () => testbed.networks.get('bridge').ipam;
const addressesOf = (link: string): string[] =>
  kernel
    .objects()
    .flatMap((object) => (object.kind === 'address' && object.link === link ? [object.prefix] : []))
    .sort();
const bridgeUses = (id: string) => testbed.networks.state(id)?.endpoints[0]?.addresses;

test('--ipv6 gives the default bridge a unique local /64, which it keeps until it is started without', async () => {
  const old = await testbed.run('old');
  await restart({ bridgeIpv6: {} }, [old.containerId]);
  // printf one | sha256sum: 7692c3ad3540bb80…
  assert.deepEqual(ipam().v6, [{ subnet: 'fdad:3540:bb80::/64', gateway: 'fdad:3540:bb80::1' }]);
  assert.deepEqual(addressesOf('docker0'), ['172.17.0.1/16', 'fdad:3540:bb80::1/64']);
  const dual = await testbed.run('dual');
  assert.deepEqual(dual.endpoints[0]?.addresses.v6, {
    ...{ address: 'fdad:3540:bb80::2', prefixLength: 64, gateway: 'fdad:3540:bb80::1' },
  });
  assert.equal(bridgeUses(old.containerId)?.v6, undefined, 'one that runs gets it at its next start');
  await testbed.networks.create({ name: 'six', driver: 'bridge', ipam: { v6: [] } });
  assert.equal(testbed.networks.get('six').ipam.v6?.[0]?.subnet, 'fdad:3540:bb80:1::/64');
  await restart({ bridgeIpv6: {} }, [old.containerId, dual.containerId]);
  assert.equal(ipam().v6?.[0]?.subnet, 'fdad:3540:bb80::/64');
  await restart({}, [old.containerId, dual.containerId]);
  assert.equal(ipam().v6, undefined);
  assert.deepEqual(addressesOf('docker0'), ['172.17.0.1/16']);
});

test('a running container loses its IPv6 address with the default bridge, and keeps the other', async () => {
  await restart({ bridgeIpv6: { fixedCidr: 'fd00:1::/64' } });
  const web = await testbed.run('web');
  const { v4 } = web.endpoints[0]?.addresses ?? {};
  assert.deepEqual(addressesOf('eth0'), ['172.17.0.2/16', 'fd00:1::2/64']);
  await restart({}, [web.containerId]);
  assert.deepEqual(bridgeUses(web.containerId), { v4 });
  assert.deepEqual(addressesOf('eth0'), ['172.17.0.2/16']);
  assert.deepEqual(
    testbed.store.leases(testbed.networks.get('bridge').id).map(({ address }) => address),
    ['172.17.0.2'],
  );
  await restart({ bridgeIpv6: { fixedCidr: 'fd00:1::/64' } }, [web.containerId]);
  assert.deepEqual(bridgeUses(web.containerId), { v4 });
  await testbed.stop(web.containerId);
  const again = await testbed.start(web.containerId);
  assert.equal(again.endpoints[0]?.addresses.v6?.address, 'fd00:1::3', 'as after any start');
});

test('addresses, ranges and gateways of both families are those of the options', async () => {
  await restart({
    ...{ bip: '10.9.0.5/24', fixedCidr: '10.9.0.128/25', defaultGateway: '10.9.0.9' },
    bridgeIpv6: { bip: 'FD00:9::0:5/64', fixedCidr: 'fd00:9::80/121', defaultGateway: 'fd00:9:0::9' },
  });
  assert.deepEqual(ipam().v4, [
    {
      ...{ subnet: '10.9.0.0/24', gateway: '10.9.0.5', range: '10.9.0.128/25' },
      auxAddresses: { DefaultGatewayIPv4: '10.9.0.9' },
    },
  ]);
  assert.deepEqual(ipam().v6, [
    {
      ...{ subnet: 'fd00:9::/64', gateway: 'fd00:9::5', range: 'fd00:9::80/121' },
      auxAddresses: { DefaultGatewayIPv6: 'fd00:9::9' },
    },
  ]);
  const { endpoints } = await testbed.run('web');
  assert.deepEqual(endpoints[0]?.addresses, {
    v4: { address: '10.9.0.128', prefixLength: 24, gateway: '10.9.0.9' },
    v6: { address: 'fd00:9::80', prefixLength: 64, gateway: 'fd00:9::9' },
  });
});

test('containers on the default bridge can have static addresses, which no other container gets', async () => {
  await restart({ bridgeIpv6: { fixedCidr: 'fd00:1::/64' } });
  const addresses = { v4: '172.17.0.2', v6: 'fd00:1::0:2' };
  const id = await testbed.create('static', { endpoints: [{ network: 'default', addresses }] });
  const other = await testbed.run('other');
  assert.deepEqual(
    [other.endpoints[0]?.addresses.v4?.address, other.endpoints[0]?.addresses.v6?.address],
    ['172.17.0.3', 'fd00:1::3'],
  );
  const { endpoints } = await testbed.start(id);
  assert.deepEqual(
    [endpoints[0]?.addresses.v4?.address, endpoints[0]?.addresses.v6?.address],
    ['172.17.0.2', 'fd00:1::2'],
  );
  await testbed.remove(id);
  assert.deepEqual(
    testbed.store.leases(testbed.networks.get('bridge').id).map(({ address }) => address),
    ['172.17.0.3', 'fd00:1::3'],
  );
});

test('an IPv6 subnet that others use, and a move while containers run, are rejected', async () => {
  await testbed.networks.create({ name: 'six', driver: 'bridge', ipam: { v6: [{ subnet: 'fd00:6::/64' }] } });
  kernel.appear({ kind: 'route', to: 'fd00:7:0:1::/64', family: 6, via: 'fe80::1', link: 'eth0' });
  kernel.appear({ kind: 'route', to: 'fd00:8::/48', family: 6, link: 'eth0' }); // an uplink's prefix
  await testbed.networks.close();
  const start = (fixedCidr: string, running: string[] = []) =>
    testbed.open({ bridgeIpv6: { fixedCidr } }).start(running);
  await assert.rejects(
    start('fd00:6::/48'),
    refuses('conflict', 'fixed-cidr-v6 fd00:6::/48 overlaps with the subnet fd00:6::/64 of network six'),
  );
  await assert.rejects(
    start('fd00:7:0:1::/64'),
    refuses(
      'conflict',
      "fixed-cidr-v6 fd00:7:0:1::/64 overlaps with the host's route fd00:7:0:1::/64 via fe80::1 dev eth0",
    ),
  );
  await start('fd00:8::/64');
  const { containerId } = await testbed.run('web');
  await testbed.networks.close();
  await assert.rejects(
    start('fd00:9::/64', [containerId]),
    refuses('conflict', /from fd00:8::1\/64 on docker0 to fd00:9::1\/64 on docker0: containers run on it \(web\)/),
  );
  await start('fd00:8::/64', [containerId]);
});

test('the auxiliary addresses DefaultGatewayIPv4 and …IPv6 are the gateways of the containers', async () => {
  const request = {
    ...{ name: 'front', driver: 'bridge' },
    ipam: {
      v4: [{ subnet: '10.5.0.0/24', auxAddresses: { DefaultGatewayIPv4: '10.5.0.9' } }],
      v6: [{ subnet: 'fd00:5::/64', auxAddresses: { DefaultGatewayIPv6: 'fd00:5::9' } }],
    },
  };
  await testbed.networks.create(request);
  assert.equal(testbed.networks.get('front').ipam.v4?.[0]?.gateway, '10.5.0.1', "the bridge's own address");
  const { endpoints } = await testbed.run('web', on('front'));
  assert.deepEqual(endpoints[0]?.addresses, {
    v4: { address: '10.5.0.2', prefixLength: 24, gateway: '10.5.0.9' },
    v6: { address: 'fd00:5::2', prefixLength: 64, gateway: 'fd00:5::9' },
  });
  await assert.rejects(
    testbed.networks.create({ ...request, name: 'inside', internal: true }),
    refuses('invalid', 'no gateway can be set on an internal bridge network'),
  );
});
