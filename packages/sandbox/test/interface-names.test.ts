/** Interface names, their order, and addresses across stop, start, connect, disconnect and a restart of the daemon. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { SandboxState } from '../src/index.ts';
import { openFakeTestbed, refuses } from './fake-testbed.ts';
import { on, type Testbed } from './testbed.ts';

let testbed: Testbed;

beforeEach(async () => {
  ({ testbed } = await openFakeTestbed());
  const bridge = testbed.networks.get('bridge');
  for (const [at, name] of ['alpha', 'beta', 'gamma'].entries())
    testbed.store.putNetwork({
      ...bridge,
      ...{ id: name.repeat(16).slice(0, 64), name, predefined: false },
      ipam: { driver: 'default', v4: [{ subnet: `10.${at}.0.0/24`, gateway: `10.${at}.0.1` }] },
      options: {
        'com.docker.network.bridge.name': `ny-${name}`,
        ...(name === 'gamma' ? { 'com.docker.network.container_iface_prefix': 'wan' } : {}),
      },
    });
  await testbed.networks.close();
  await testbed.open().start([]);
});
afterEach(() => testbed.close());

const shown = ({ endpoints }: SandboxState): string =>
  endpoints.map(({ link, networkName, addresses }) => `${link} ${networkName} ${addresses.v4?.address}`).join(', ');

const stateOf = (id: string): string => {
  const state = testbed.networks.state(id);
  return state ? shown(state) : '';
};

test('interfaces are ordered by gateway priority and network name, with the prefix of their network', async () => {
  assert.equal(
    shown(await testbed.run('a', on('beta', 'gamma', 'alpha'))),
    'eth0 alpha 10.0.0.2, eth1 beta 10.1.0.2, wan0 gamma 10.2.0.2',
  );
  const priority = { ...on('alpha'), endpoints: [{ network: 'alpha' }, { network: 'beta', gatewayPriority: 5 }] };
  assert.equal(shown(await testbed.run('b', priority)), 'eth0 beta 10.1.0.3, eth1 alpha 10.0.0.3');
});

test('a gap is used by the next connect; names and addresses stay over stop and start, also of the daemon', async () => {
  const { containerId: id } = await testbed.run('web', on('beta', 'alpha'));
  await testbed.networks.disconnect('alpha', id, false);
  await testbed.run('other', on('alpha'));
  await testbed.networks.connect('alpha', id, { network: 'alpha' });
  await testbed.networks.connect('bridge', id, { network: 'bridge' });
  const names = stateOf(id);
  assert.equal(names, 'eth1 beta 10.1.0.2, eth0 alpha 10.0.0.4, eth2 bridge 172.17.0.2');
  await testbed.stop(id);
  await testbed.networks.close();
  await testbed.open().start([]);
  const started = shown(await testbed.start(id));
  assert.equal(started.replace(/172\.17\.0\.\d/, '172.17.0.2'), names);
  assert.equal(shown(await testbed.run('next', on('alpha'))), 'eth0 alpha 10.0.0.5', 'continues after the last one');
});

test('an automatic address that another container got meanwhile is not kept; a static one stays reserved', async () => {
  const { containerId: id } = await testbed.run('web', on('alpha'));
  const fixed = await testbed.run('fixed', {
    ...on('alpha'),
    endpoints: [{ network: 'alpha', addresses: { v4: '10.0.0.9' } }],
  });
  await testbed.stop(id);
  await testbed.stop(fixed.containerId);
  const taken = { ...on('alpha'), endpoints: [{ network: 'alpha', addresses: { v4: '10.0.0.2' } }] };
  const other = await testbed.run('other', taken);
  assert.equal(shown(await testbed.start(id)), 'eth0 alpha 10.0.0.3');
  await testbed.remove(other.containerId);
  await testbed.stop(id);
  assert.equal(shown(await testbed.start(id)), 'eth0 alpha 10.0.0.3');
  assert.equal(shown(await testbed.start(fixed.containerId)), 'eth0 alpha 10.0.0.9');
});

test('a container that leaves a network while it is stopped gives up its address there', async () => {
  const { containerId: id } = await testbed.run('web', on('alpha', 'beta'));
  await testbed.stop(id);
  await testbed.networks.disconnect('alpha', id, false);
  await testbed.networks.connect('alpha', id, { network: 'alpha' });
  assert.equal(shown(await testbed.start(id)), 'eth1 beta 10.1.0.2, eth0 alpha 10.0.0.3');
});

test('requested interface names are used; invalid ones and clashes are rejected', async () => {
  const named = (network: string, link: string) => ({
    network,
    driverOptions: { 'com.docker.network.endpoint.ifname': link },
  });
  const web = await testbed.run('web', { ...on('alpha'), endpoints: [{ network: 'alpha' }, named('beta', 'eth0')] });
  assert.equal(shown(web), 'eth1 alpha 10.0.0.2, eth0 beta 10.1.0.2');
  await assert.rejects(
    testbed.networks.connect('gamma', web.containerId, named('gamma', 'eth1')),
    refuses('failed', /^error renaming interface "ny-[0-9a-f]{12}" to "eth1": file exists$/),
  );
  await assert.rejects(
    testbed.create('bad', { ...on('alpha'), endpoints: [named('alpha', 'a b')] }),
    refuses('invalid', 'invalid interface name: a b'),
  );
  const id = await testbed.create('twice', { ...on('alpha'), endpoints: [named('alpha', 'x'), named('beta', 'x')] });
  await assert.rejects(
    testbed.start(id),
    refuses('failed', /^failed to set up container networking: error renaming interface "ny-\w+" to "x": file exists$/),
  );
  assert.deepEqual(testbed.store.leases(testbed.networks.get('alpha').id).length, 1);
});
