import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterHost, KnownNetwork, NewNetwork } from '@netyard/cluster';
import { isNetyardError, NetyardError, silentLogger } from '@netyard/core';
import type { NetworkRecord } from '@netyard/sandbox';
import { ClusterSync, planClusterPeers } from './cluster-networks.ts';

const hosts: Pick<ClusterHost, 'name' | 'address' | 'subnets' | 'self'>[] = [
  { name: 'a', address: '10.0.0.1', subnets: ['192.168.1.0/24'], self: true },
  { name: 'b', address: '10.0.0.2', subnets: ['192.168.2.0/24'], self: false },
];
const network = (id: string, more: Partial<KnownNetwork> = {}): KnownNetwork => ({
  ...{ id, name: `net-${id}`, created: 1n, subnet: '10.128.0.0/16', partSize: 24, internal: false, attachable: false },
  ...{ options: {}, labels: {}, part: '10.128.1.0/24', parts: [{ host: 'b', subnets: ['10.128.2.0/24'] }] },
  ...more,
});

test('parts are peers of their hosts, for the networks that this host has and the hosts that are members', () => {
  const own = new Map([['1', { cluster: { subnet: '10.128.0.0/16', partSize: 24 } }]]);
  const parts = [
    { host: 'b', subnets: ['10.128.2.0/24'] },
    { host: 'gone', subnets: ['10.128.3.0/24'] },
  ];
  assert.deepEqual(planClusterPeers(hosts, [network('1', { parts }), network('2')], own), [
    { name: 'b', address: '10.0.0.2', subnets: ['192.168.2.0/24'] },
    { name: 'b/net-1', address: '10.0.0.2', subnets: ['10.128.2.0/24'], network: 'net-1' },
  ]);
});

test('a part has both families, if this host has the network with both', () => {
  const cluster = { subnet: '10.128.0.0/16', partSize: 24 };
  const ipv6 = { subnet: 'fd00:7::/48', partSize: 64 };
  const parts = [{ host: 'b', subnets: ['10.128.2.0/24', 'fd00:7:0:2::/64'] }];
  const subnetsOf = (own: typeof cluster & { ipv6?: typeof ipv6 }): string[] =>
    planClusterPeers(hosts, [network('1', { parts, ipv6 })], new Map([['1', { cluster: own }]])).at(-1)?.subnets ?? [];
  assert.deepEqual(subnetsOf({ ...cluster, ipv6 }), ['10.128.2.0/24', 'fd00:7:0:2::/64']);
  assert.deepEqual(subnetsOf(cluster), ['10.128.2.0/24'], 'a network that an older version created here');
});

/** A cluster and a host in memory; `log` has the calls that change the host. */
function open({
  connection = 'connected',
  removalFails = false,
}: {
  connection?: 'connected' | 'unreachable';
  removalFails?: boolean;
} = {}) {
  const log: string[] = [];
  let known: KnownNetwork[] = [];
  let records: Pick<NetworkRecord, 'id' | 'cluster'>[] = [];
  let problem: string | undefined;
  const sync = new ClusterSync(
    {
      view: () => ({ connection }) as never,
      hosts: () => hosts as ClusterHost[],
      networks: () => known,
      async createNetwork(request: NewNetwork) {
        known = [...known, network(request.id)];
        setImmediate(() => void sync.sync());
        return network(request.id);
      },
      async removeNetwork(id: string) {
        if (removalFails) throw new NetyardError('unavailable', 'etcd is unreachable');
        log.push('rm');
        known = known.filter((one) => one.id !== id);
        setImmediate(() => void sync.sync());
      },
      changes: () => () => undefined,
    },
    silentLogger,
  );
  const own = {
    list: () => records as NetworkRecord[],
    async setClusterPeers(peers) {
      log.push(`peers ${peers.length}`);
      return [];
    },
    async setClusterNetworks(networks) {
      log.push(`networks ${networks.length}`);
      if (problem !== undefined) return networks.map(({ id, name }) => ({ id, name, problem: problem ?? '' }));
      records = networks.map(({ id, subnet, partSize }) => ({ id, cluster: { subnet, partSize } }));
      return [];
    },
  } as Parameters<typeof sync.follow>[0];
  const refused: string[] = [];
  sync.follow(own, ({ problem: text }) => refused.push(text));
  const fail = (text: string | undefined): void => {
    problem = text;
  };
  const know = (...networks: KnownNetwork[]): void => {
    known = networks;
  };
  return { sync, log, fail, know, refused, ids: () => records.map(({ id }) => id) };
}
const request = { ...network('x'), isTaken: () => false };

test('the parts of a new network come after it, those of a removed one go before it', async () => {
  const { sync, log, know } = open();
  know(network('1'));
  await sync.sync();
  assert.deepEqual(log.splice(0), ['peers 1', 'networks 1', 'peers 2']);
  know();
  await sync.sync();
  assert.deepEqual(log, ['peers 1', 'networks 0']);
});

test('while etcd is unreachable no network is created or removed', async () => {
  const { sync, log, know } = open({ connection: 'unreachable' });
  know(network('1'));
  await sync.sync();
  assert.deepEqual(log, ['peers 1']);
});

test('create resolves when this host has the network, remove when it does not', async () => {
  const { sync, ids } = open();
  const id = await sync.create(request);
  assert.match(id, /^[0-9a-f]{64}$/);
  assert.deepEqual(ids(), [id]);
  await sync.remove(id);
  assert.deepEqual(ids(), []);
});

test('a network that this host cannot have is removed from the cluster again', async () => {
  const { sync, log, fail, ids } = open();
  fail('its subnet is taken');
  await assert.rejects(
    sync.create(request),
    (error) => isNetyardError(error, 'conflict') && error.message === 'network net-x: its subnet is taken',
  );
  assert.ok(log.includes('rm'));
  assert.deepEqual(ids(), []);
});

test('the reason why this host cannot have a network is reported also when its removal fails', async () => {
  const { sync, fail } = open({ removalFails: true });
  fail('its subnet is taken');
  await assert.rejects(
    sync.create(request),
    (error) => isNetyardError(error, 'conflict') && error.message === 'network net-x: its subnet is taken',
  );
});

test('a problem is tried again when a container leaves or a network is removed', async () => {
  const { sync, log, fail, know, refused, ids } = open();
  sync.networkEvent({ action: 'destroy', driver: 'bridge' });
  assert.deepEqual(log, [], 'not without a problem');
  fail('in use');
  know(network('1'));
  await sync.sync();
  await sync.sync();
  assert.deepEqual(refused, ['in use'], 'reported once');
  fail(undefined);
  sync.networkEvent({ action: 'disconnect', driver: 'bridge' });
  sync.networkEvent({ action: 'create', driver: 'overlay' });
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(ids(), []);
  sync.networkEvent({ action: 'disconnect', driver: 'overlay' });
  await sync.sync();
  assert.deepEqual(ids(), ['1']);
});

test('errors of the cluster are those of the request', async () => {
  const { sync } = open();
  await sync.sync();
  const refusing = new ClusterSync(
    {
      ...({} as ConstructorParameters<typeof ClusterSync>[0]),
      createNetwork: async () => {
        throw new NetyardError('unavailable', 'etcd is unreachable');
      },
    },
    silentLogger,
  );
  await assert.rejects(refusing.create(request), (error) => isNetyardError(error, 'unavailable'));
});
