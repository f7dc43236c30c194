/** How long a probe is observed completely, and what makes that too short. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TraceCase } from '../src/explain/case.ts';
import { flightTime, hasLeft, isIncomplete } from '../src/flight.ts';
import type { KernelDrop, PathEnd, Sighting, TraceEvidence } from '../src/model.ts';
import { hostWith } from './host-fixture.ts';

const topology = hostWith([{ name: 'app', network: 'bridge', address: '172.17.0.2' }]);
const packet = { protocol: 'tcp', destination: '172.17.0.3', destinationPort: 80 } as const;
const left: PathEnd = { kind: 'left', namespaceId: '1', link: 'eth0', nextHop: '192.0.2.254', packet };
const delivered: PathEnd = { kind: 'delivered', namespaceId: '1001', packet };

const caseOf = (end: PathEnd, evidence: Partial<TraceEvidence> = {}, rest: Partial<TraceCase> = {}): TraceCase => ({
  request: { from: 'app', to: 'web', protocol: 'tcp', port: 80 },
  ...{ topology, packet, path: { hops: [], end } },
  from: { text: 'app', addresses: [] },
  to: { text: 'web', addresses: [] },
  evidence: {
    ...{ sightings: [], verdicts: [], counters: [], drops: [], neighbours: [], incomplete: [] },
    ...{ probe: { outcome: 'timeout', ms: 1200 }, ...evidence },
  },
  ...rest,
});

const seen = (namespaceId: string, link: string, atMs: number, rest: Partial<Sighting> = {}): Sighting => ({
  ...{ namespaceId, link, direction: 'in', atMs, packet, isAnswer: false, flags: 'S' },
  ...rest,
});
const drop = (atMs: number, rest: Partial<KernelDrop> = {}): KernelDrop => ({
  ...{ namespaceId: '1', reason: 'NETFILTER_DROP', atMs, packet, isAnswer: false, flags: 'S' },
  ...rest,
});
const neighbour = (...macs: string[]) => [{ namespaceId: '1', link: 'docker0', address: '172.17.0.3', macs }];

test('a probe on this host is observed briefly, one that another host may answer longer, unless it is known better', () => {
  assert.equal(flightTime(caseOf(delivered), undefined), 50);
  assert.equal(flightTime(caseOf(left), undefined), 300);
  assert.equal(
    flightTime(caseOf(left, {}, { to: { text: 'outside', addresses: [], isOutside: true } }), undefined),
    50,
  );
  assert.equal(flightTime(caseOf(left), []), 50, 'no answer came before');
  assert.equal(flightTime(caseOf(left), [seen('1', 'eth0', 80, { isAnswer: true })]), 210);
  assert.equal(flightTime(caseOf(delivered), [seen('1', 'veth0', 1000)]), 300, 'sent again');
});

test('only the packet itself on the predicted link has left', () => {
  const out = seen('1', 'eth0', 1, { direction: 'out' });
  assert.ok(hasLeft(caseOf(left), [out]));
  assert.ok(!hasLeft(caseOf(delivered), [out]));
  for (const other of [{ ...out, link: 'eth1' }, { ...out, isAnswer: true }, seen('1', 'eth0', 1)])
    assert.ok(!hasLeft(caseOf(left), [other]));
});

test('a flight was too short when something else is dropped or seen later, not when the same is repeated', () => {
  const known = { drops: [drop(2)] };
  assert.ok(!isIncomplete(caseOf(delivered, known), 50));
  assert.ok(!isIncomplete(caseOf(delivered, { drops: [drop(2), drop(1002)] }), 50), 'sent again');
  assert.ok(isIncomplete(caseOf(delivered, { drops: [drop(90)] }), 50));
  assert.ok(isIncomplete(caseOf(delivered, { drops: [drop(2), drop(90, { isAnswer: true })] }), 50));
  const sightings = [seen('1', 'veth0', 1), seen('1', 'veth0', 1001)];
  assert.ok(!isIncomplete(caseOf(delivered, { ...known, sightings }), 50));
  assert.ok(isIncomplete(caseOf(delivered, { ...known, sightings: [...sightings, seen('1001', 'eth0', 70)] }), 50));
  const answered = { probe: { outcome: 'answered', ms: 90 } as const, drops: [drop(90)] };
  assert.ok(!isIncomplete(caseOf(delivered, answered), 50));
});

test('what waits for a neighbour that does not answer is no news, one that answers is', () => {
  const given = [drop(3000, { reason: 'NEIGH_FAILED' }), drop(3001, { isAnswer: true, flags: 'icmp:3/1' })];
  assert.ok(!isIncomplete(caseOf(delivered, { drops: given, neighbours: neighbour() }), 50));
  const sightings = [seen('1', 'veth0', 1)];
  assert.ok(isIncomplete(caseOf(delivered, { sightings, neighbours: neighbour('02:00:00:00:00:01') }), 50));
  assert.ok(!isIncomplete(caseOf(delivered, { sightings, neighbours: neighbour() }), 50));
  const doubled = neighbour('02:00:00:00:00:01', '02:00:00:00:00:02');
  assert.ok(!isIncomplete(caseOf(delivered, { sightings, neighbours: doubled }), 50));
});

test('what was delivered, answered, dropped or has left is not waiting', () => {
  const neighbours = neighbour('02:00:00:00:00:01');
  const arrived = [seen('1', 'veth0', 1), seen('1001', 'eth0', 2)];
  assert.ok(!isIncomplete(caseOf(delivered, { sightings: arrived, neighbours }), 50));
  const out = [seen('1', 'eth0', 1, { direction: 'out' })];
  assert.ok(!isIncomplete(caseOf(left, { sightings: out, neighbours }), 50));
  const refused = { outcome: 'refused', ms: 1 } as const;
  assert.ok(!isIncomplete(caseOf(delivered, { probe: refused, neighbours }), 50));
});
