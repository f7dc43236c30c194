/** The engine's network service: filters of list, prune, and stopped containers. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { isNetyardError, NetyardError } from '@netyard/core';
import type { EndpointState, NetworkRecord } from '@netyard/network';
import { type Harness, openHarness } from './fakes/harness.ts';

const network = (name: string, changes: Partial<NetworkRecord> = {}): NetworkRecord => ({
  id: `${name}-id`,
  name,
  driver: 'bridge',
  created: 1n,
  ipam: { driver: 'default', v4: [] },
  internal: false,
  attachable: false,
  options: {},
  labels: {},
  predefined: false,
  ...changes,
});

const records = [
  network('bridge', { predefined: true }),
  network('none', { predefined: true, driver: 'null' }),
  network('front', { labels: { project: 'shop', tier: 'web' } }),
  network('back', { labels: { project: 'shop' }, created: BigInt(Date.now()) * 1_000_000n }),
];

async function open(t: TestContext): Promise<Harness> {
  const harness = await openHarness();
  t.after(() => harness.close());
  harness.networks.networkRecords = [...records];
  return harness;
}

/** Gives a running container an endpoint in a network. */
function attach({ networks }: Harness, containerId: string, name: string): void {
  const state = networks.states.get(containerId);
  assert.ok(state);
  state.endpoints.push({ networkId: `${name}-id`, networkName: name } as EndpointState);
}

const filters = (values: Record<string, string[]>) => new Map(Object.entries(values));

test('list has Docker’s filters', async (t) => {
  const harness = await open(t);
  attach(harness, await harness.run(), 'front');
  const names = (values: Record<string, string[]>) =>
    harness.engine.networks
      .list(filters(values))
      .map(({ name }) => name)
      .join(' ');
  assert.equal(names({}), 'bridge none front back');
  assert.equal(names({ name: ['^b'] }), 'bridge back');
  assert.equal(names({ id: ['front-id', 'none'] }), 'none front');
  assert.equal(names({ driver: ['null'] }), 'none');
  assert.equal(names({ label: ['project=shop', 'tier'] }), 'front');
  assert.equal(names({ scope: ['swarm'] }), '');
  assert.equal(names({ type: ['custom'] }), 'front back');
  assert.equal(names({ type: ['builtin'], driver: ['bridge'] }), 'bridge');
  assert.equal(names({ dangling: ['true'] }), 'back');
  assert.equal(names({ dangling: ['0'] }), 'bridge none front');
});

test('invalid filters are rejected with Docker’s messages', async (t) => {
  const { list, prune } = (await open(t)).engine.networks;
  const rejected = (code: string, message: string) => (error: unknown) =>
    isNetyardError(error) && error.code === code && error.message === message;
  const dangling = `invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0")`;
  assert.throws(() => list(filters({ foo: ['x'] })), rejected('invalid', "invalid filter 'foo'"));
  assert.throws(() => list(filters({ dangling: ['x'] })), rejected('invalid', dangling));
  assert.throws(
    () => list(filters({ dangling: ['1', '0'] })),
    rejected('invalid', 'got more than one value for filter key "dangling"'),
  );
  assert.throws(() => list(filters({ type: ['x'] })), rejected('failed', "invalid filter: 'type'='x'"));
  await assert.rejects(prune(filters({ dangling: ['1'] })), rejected('invalid', "invalid filter 'dangling'"));
  assert.deepEqual(await prune(filters({ label: ['no'] })), [], 'a failed call does not block the next one');
});

test('prune removes networks without endpoints that the filters select, and publishes an event', async (t) => {
  const harness = await open(t);
  const { prune } = harness.engine.networks;
  attach(harness, await harness.run(), 'front');
  assert.deepEqual(await prune(filters({ 'label!': ['project=shop'] })), []);
  assert.deepEqual(await prune(filters({ until: ['1h'] })), [], 'back is younger');
  assert.deepEqual(await prune(filters({ label: ['project=shop'] })), ['back']);
  assert.deepEqual(
    harness.networks.networkRecords.map(({ name }) => name),
    ['bridge', 'none', 'front'],
  );
  const { type, action, actorId, attributes } = harness.events.findLast((event) => event.type === 'network') ?? {};
  assert.deepEqual([type, action, actorId, attributes], ['network', 'prune', '', { reclaimed: '0' }]);
});

test('prune goes on after a network that cannot be removed, and runs once at a time', async (t) => {
  const { engine, networks } = await open(t);
  let remove = (): void => {};
  networks.onRemoveNetwork = async (name) => {
    if (name === 'front') throw new NetyardError('forbidden', 'network front has active endpoints');
    await new Promise<void>((resolve) => {
      remove = resolve;
    });
  };
  const first = engine.networks.prune(filters({}));
  const busy = (error: unknown) =>
    isNetyardError(error, 'conflict') && error.message === 'a prune operation is already running';
  await assert.rejects(engine.networks.prune(filters({})), busy);
  await new Promise((resolve) => setImmediate(resolve));
  remove();
  assert.deepEqual(await first, ['back']);
});

test('stopped containers of a network are those that get an endpoint when they start', async (t) => {
  const harness = await open(t);
  const { engine, networks } = harness;
  const endpoint = { network: 'back', aliases: ['db'] };
  const mode = { networkMode: { kind: 'network', ref: 'back' }, endpoints: [endpoint] } as const;
  await harness.run({ ...mode, endpoints: [endpoint] }, 'running');
  const idle = await harness.run({ ...mode, endpoints: [endpoint] }, 'idle');
  networks.states.delete(idle);
  const { record, stopped } = engine.networks.get('back');
  assert.equal(record.name, 'back');
  assert.deepEqual(stopped(), [{ containerId: idle, name: 'idle', config: endpoint }]);
  const [shown] = (
    await engine.containers.list({ all: true, limit: 0, size: false, filters: filters({ id: [idle] }) })
  ).map(({ endpoints }) => endpoints);
  assert.deepEqual(shown, [{ networkId: 'back-id', config: endpoint }]);
});
