import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KernelObject } from '@netyard/kernel';
import { encodeElementKey } from '../firewall/element-key.ts';
import { element } from '../firewall/table.ts';
import { EndpointElements } from './endpoint-elements.ts';

const checked = '"ny-000000000001"';
const address = `${checked} . 02:42:ac:12:00:02 . 172.18.0.2`;
const target = `${checked} . 02:42:ac:12:00:02 . 0xfe80000000000000004200fffe120002`;

/** A container with one endpoint, whose plan has these elements. */
function withPlan(objects: readonly KernelObject[]) {
  let planned = 0;
  const dependencies = {
    hostLinks: { ownerOf: (link: string) => (link === 'ny-000000000001' ? 'web' : undefined) },
    attachments: {
      plan() {
        planned += 1;
        return [...objects];
      },
    },
  };
  return { dependencies, plans: () => planned };
}

const plan = [
  element('checked_ports', checked, {}),
  element('endpoint_addresses', address, {}),
  element('endpoint_targets', target, {}),
];

const none = new Set<string>();

const event = (action: 'new' | 'del', set: string, key: string, numberLength = 0) => ({
  ...({ action, family: 'bridge', set } as const),
  keys: [encodeElementKey(key, numberLength)],
});

test('elements of a container that started need no comparison with others', () => {
  const elements = new EndpointElements();
  const { dependencies, plans } = withPlan(plan);
  assert.ok(elements.note(event('new', 'checked_ports', checked)));
  assert.ok(elements.note(event('new', 'endpoint_addresses', address)));
  assert.ok(elements.note(event('new', 'endpoint_targets', target, 16)));
  assert.deepEqual(elements.compare(dependencies), { incomplete: new Set(), hasUnplanned: false, isPending: false });
  assert.equal(plans(), 1, 'one plan for all elements');
});

test('neither do those of a container that stopped', () => {
  const elements = new EndpointElements();
  elements.note(event('del', 'checked_ports', '"ny-000000000002"'));
  const drift = elements.compare(withPlan(plan).dependencies);
  assert.deepEqual(drift, { incomplete: new Set(), hasUnplanned: false, isPending: false });
});

test('a planned element that was deleted leads to the repair of its owner', () => {
  const elements = new EndpointElements();
  elements.note(event('del', 'endpoint_targets', target, 16));
  const drift = elements.compare(withPlan(plan).dependencies);
  assert.deepEqual(drift, { incomplete: new Set(['web']), hasUnplanned: false, isPending: false });
});

test('an element that no plan has is found, also for the interface of an endpoint', () => {
  for (const key of ['"ny-000000000001" . 02:42:ac:12:00:02 . 172.18.0.9', '"eth7" . 02:42:ac:12:00:02 . 172.18.0.2']) {
    const elements = new EndpointElements();
    elements.note(event('new', 'endpoint_addresses', key));
    const { dependencies } = withPlan(plan);
    assert.deepEqual(elements.compare(dependencies), { incomplete: none, hasUnplanned: false, isPending: true });
    assert.deepEqual(elements.compare(dependencies), { incomplete: none, hasUnplanned: true, isPending: false });
    assert.deepEqual(elements.compare(dependencies), { incomplete: none, hasUnplanned: false, isPending: false });
  }
});

test('an element of an endpoint that is being removed may exist for some comparisons', () => {
  const elements = new EndpointElements();
  const { dependencies } = withPlan([]);
  elements.note(event('new', 'checked_ports', checked));
  for (let round = 0; round < 10; round += 1)
    assert.deepEqual(elements.compare(dependencies), { incomplete: none, hasUnplanned: false, isPending: true });
  const removed = { ...dependencies, hostLinks: { ownerOf: () => undefined } };
  assert.deepEqual(elements.compare(removed), { incomplete: none, hasUnplanned: false, isPending: true });
  elements.note(event('del', 'checked_ports', checked));
  assert.deepEqual(elements.compare(dependencies), { incomplete: none, hasUnplanned: false, isPending: false });
});

test('an element for the interface of an endpoint without any is found later', () => {
  const elements = new EndpointElements();
  const { dependencies } = withPlan([]);
  elements.note(event('new', 'checked_ports', checked));
  let rounds = 1;
  while (!elements.compare(dependencies).hasUnplanned && rounds < 100) rounds += 1;
  assert.equal(rounds, 20);
});

test('the last change of an element counts', () => {
  const elements = new EndpointElements();
  elements.note(event('del', 'checked_ports', checked));
  elements.note(event('new', 'checked_ports', checked));
  elements.note(event('new', 'checked_ports', '"eth7"'));
  elements.note(event('del', 'checked_ports', '"eth7"'));
  const { dependencies } = withPlan(plan);
  assert.deepEqual(elements.compare(dependencies), { incomplete: new Set(), hasUnplanned: false, isPending: false });
  assert.deepEqual(elements.compare(withPlan([]).dependencies), {
    incomplete: new Set(),
    hasUnplanned: false,
    isPending: false,
  });
});

test('elements of ports and of links name no interface', () => {
  const elements = new EndpointElements();
  assert.equal(elements.note({ action: 'new', family: 'ip', set: 'published_any', keys: [Buffer.alloc(8)] }), false);
  assert.equal(
    elements.note({ action: 'new', family: 'bridge', set: 'relayed_ports_any', keys: [Buffer.alloc(8)] }),
    false,
  );
});
