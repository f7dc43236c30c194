/** Which parts a recorded state has after changes, and what is made and read for it. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { silentLogger } from '@netyard/core';
import type { KernelObject, NetworkChange, ObservedNetworkState } from '@netyard/kernel';
import type { StatePrinter } from './item.ts';
import type { HostParts } from './known-host.ts';
import { StateFiles } from './state-files.ts';
import { StateRecorder } from './state-recorder.ts';

const second = 1_000_000_000n;
type Link = ObservedNetworkState['links'][number];
const link = (name: string): Link =>
  ({ name, index: 1, up: true, mtu: 1500, kind: 'veth', addresses: [] }) as unknown as Link;
const planOf = (id: string, address: string): KernelObject[] =>
  [
    { kind: 'netns', path: id },
    { kind: 'veth', name: `ny-${id}`, up: true, peer: { name: 'eth0', up: true, ns: id } },
    { kind: 'address', link: 'eth0', prefix: address, ns: id },
  ] as unknown as KernelObject[];

const rulesetOf = (...elements: string[]): string =>
  [
    'table ip t {',
    '\tset s {',
    '\t\ttype ifname',
    `\t\telements = { ${elements.join(',\n\t\t\t     ')} }`,
    '\t}',
    '}',
  ].join('\n');

/** A recorder on a host in memory. */
function openRecorder(context: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-states-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const host = { links: [link('br0')], ruleset: rulesetOf('"a" comment "x, }"'), time: 1_800_000_000n * second };
  const plans = new Map<string, KernelObject[]>();
  const observed: (HostParts | undefined)[] = [];
  const printed: string[] = [];
  const textOf = (object: KernelObject): string =>
    Object.values(object)
      .filter((value) => typeof value === 'string')
      .join(' ');
  const printer: StatePrinter = {
    describe: textOf,
    identify: textOf,
    printCommands: ({ action, object }) => {
      if (action === 'create') printed.push(textOf(object));
      return [`${action} ${textOf(object)}`];
    },
    parseElements: (listing) =>
      [...listing.matchAll(/("\w+") comment "([^"]*)"/g)].map(([, key = '', comment = '']) => ({ key, comment })),
  };
  const observe = (known?: HostParts): Promise<ObservedNetworkState> => {
    observed.push(known);
    const read = { links: [...host.links], routes: [] };
    const parts = { rules: [], neighbours: [], forwarding: { v4: true, v6: false }, ruleset: host.ruleset };
    return Promise.resolve({ ...read, ...known, ...parts });
  };
  const recorder = new StateRecorder({
    files: new StateFiles(folder, { maximumBytes: 1e6, maximumAge: 86_400n * second }),
    ...{ observe, printer, explain: (id) => plans.get(id), logger: silentLogger },
    clock: { now: () => host.time },
  });
  context.after(() => recorder.close());
  /** Commands from the last state to the present one. */
  const changes = async (): Promise<string[]> => {
    const from = host.time;
    host.time += second;
    return (await recorder.diff(from)).commands;
  };
  return { folder, recorder, host, plans, observed, printed, changes };
}

test('a state has what changed on the host and in containers, and what did not is neither made nor lost', async (context) => {
  const { recorder, host, plans, printed, changes } = openRecorder(context);
  plans.set('c1', planOf('c1', '10.0.0.2/24')).set('c2', planOf('c2', '10.0.0.3/24'));
  recorder.noteContainer('c1');
  recorder.noteContainer('c2');
  await assert.rejects(changes(), { code: 'not-found' }); // records the first state
  printed.length = 0;
  assert.deepEqual(await changes(), []);
  assert.deepEqual(
    printed.filter((text) => /nft-element|c1|c2/.test(text)),
    [],
  );
  plans.set('c2', planOf('c2', '10.0.0.4/24'));
  recorder.noteContainer('c2');
  host.ruleset = rulesetOf('"a" comment "x, }"', '"b" comment "y"');
  assert.deepEqual(await changes(), [
    'delete address eth0 10.0.0.3/24 c2',
    'create nft-element ip t s "b" y',
    'create address eth0 10.0.0.4/24 c2',
  ]);
  assert.ok(!printed.some((text) => text.includes('c1')));
  plans.delete('c1');
  recorder.noteContainer('c1');
  host.ruleset = rulesetOf('"b" comment "y"');
  assert.deepEqual(await changes(), ['delete netns c1', 'delete nft-element ip t s "a" x, }']);
});

test('a new file has all parts, also those that did not change since the last state', async (context) => {
  const { folder, recorder, host, plans, changes } = openRecorder(context);
  plans.set('c1', planOf('c1', '10.0.0.2/24'));
  recorder.noteContainer('c1');
  await assert.rejects(changes(), { code: 'not-found' });
  const { ruleset, time } = host;
  for (let round = 0; readdirSync(folder).length < 2; round += 1) {
    assert.ok(round < 100);
    host.ruleset = rulesetOf('"a" comment "x, }"', `"b" comment "${round} ${'y'.repeat(5000)}"`);
    await changes();
  }
  host.ruleset = ruleset;
  host.time += second;
  assert.deepEqual((await recorder.diff(time)).commands, []);
});

test('links are read again when one changed that is of no container', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const { recorder, host, plans, observed } = openRecorder(context);
  const sample = async (): Promise<HostParts | undefined> => {
    const { length } = observed;
    context.mock.timers.tick(600_000);
    while (observed.length === length) await new Promise(setImmediate);
    await recorder.diff(host.time, host.time).catch(() => undefined);
    return observed.at(-1);
  };
  const changed = (name: string): NetworkChange => ({
    ...{ type: 'link', action: 'new', name, index: 2, up: true, mtu: 1500 },
  });
  recorder.watch(true);
  assert.equal(await sample(), undefined);
  plans.set('c1', planOf('c1', '10.0.0.2/24'));
  recorder.noteContainer('c1');
  recorder.noteChange(changed('ny-c1'));
  assert.deepEqual((await sample())?.links, host.links);
  recorder.noteChange(changed('dummy0'));
  assert.equal(await sample(), undefined);
  recorder.noteChange({ type: 'nft-commit', author: 'self' });
  assert.deepEqual((await sample())?.links, host.links);
  await recorder.diff(host.time); // the present state
  assert.equal(observed.at(-1), undefined);
});
