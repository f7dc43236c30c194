/** Paths and conclusions across two hosts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findEnd } from '../src/ends.ts';
import type { TraceCase } from '../src/explain/case.ts';
import { explain } from '../src/explain/explain.ts';
import { findPeer, remoteCase, throughTunnel, withEvidence } from '../src/hosts/remote-case.ts';
import type { PeerHost, Sighting, TraceEvidence } from '../src/model.ts';
import { predictPath } from '../src/predict.ts';
import { hostWith } from './host-fixture.ts';

/** Of host1, whose route to 10.9.0.0/24 leads to it. */
const peer: PeerHost = {
  ...{ name: 'host2', address: '192.0.2.9', subnets: ['10.9.0.0/24'] },
  path: { kind: 'route', link: 'eth0', uplink: 'eth0', local: '192.0.2.7', mtu: 1500 },
};
const here = hostWith([{ name: 'a', network: 'bridge', address: '172.17.0.2' }]);
const there = hostWith([{ name: 'web', network: 'bridge', address: '10.9.0.2' }]);
const packet = { protocol: 'tcp', source: '172.17.0.2', destination: '10.9.0.2', destinationPort: 80 } as const;
const silence: TraceEvidence = {
  ...{ sightings: [], verdicts: [], counters: [], drops: [], neighbours: [], incomplete: [] },
  probe: { outcome: 'timeout', ms: 1200 },
};

const seen = (link: string, direction: 'in' | 'out', atMs: number, isAnswer = false): Sighting => ({
  ...{ namespaceId: '1', link, direction, atMs, isAnswer, packet, flags: isAnswer ? 'SA' : 'S' },
});

function acrossHosts(own: Partial<TraceEvidence>, theirs: Partial<TraceEvidence>): TraceCase {
  const from = findEnd(here, 'a');
  assert.ok(from?.namespace);
  const trace: TraceCase = {
    ...{ request: { from: 'a', to: 'host2/web', port: 80, protocol: 'tcp' }, topology: here, from, packet },
    to: { text: 'host2/web', addresses: ['10.9.0.2'] },
    path: predictPath(here, from.namespace, packet),
    evidence: { ...silence, ...own },
  };
  const view = { topology: there, peers: [{ name: 'host1', address: '192.0.2.1', subnets: ['172.17.0.0/16'] }] };
  const part = remoteCase(trace, { peer, view, target: 'web' });
  assert.ok(part);
  const side = { peer, trace: part, knownHosts: view.peers };
  return { ...trace, remote: withEvidence(side, trace, { ...silence, ...theirs }) };
}

test('a path continues on the peer, with the name by which the peer is known', () => {
  const { path, remote } = acrossHosts({}, {});
  assert.equal(path.end.kind, 'left');
  assert.equal(remote?.trace?.topology.hostName, 'host2');
  assert.equal(remote?.trace?.to.container?.name, 'web');
  assert.deepEqual(remote?.trace?.path.hops[0], {
    ...{ namespaceId: '1', place: 'host', kind: 'link', name: 'eth0', direction: 'in' },
    packet,
  });
});

test('the peer of an address: by its own address, and by the subnets of its containers', () => {
  assert.equal(findPeer([peer], '10.9.0.77')?.name, 'host2');
  assert.equal(findPeer([peer], '192.0.2.9')?.name, 'host2');
  assert.equal(findPeer([peer], '10.10.0.1'), undefined);
});

test('a path through a tunnel leaves by the uplink', () => {
  const host = structuredClone(here);
  const tunnel = { index: 50, name: 'ny-vxlan', kind: 'vxlan', mtu: 1450, up: true, running: true };
  host.namespaces[0]?.links.push({ ...tunnel, addresses: [], rpFilter: 0 });
  for (const route of host.namespaces[0]?.routes ?? []) if (route.to === '10.9.0.0/24') route.link = 'ny-vxlan';
  const from = findEnd(host, 'a');
  assert.ok(from?.namespace);
  const path = throughTunnel(host, predictPath(host, from.namespace, packet), peer);
  assert.deepEqual(
    path.hops.slice(-3).map(({ kind, name }) => `${kind} ${name}`),
    ['link ny-vxlan', 'tunnel vxlan to 192.0.2.9', 'link eth0'],
  );
  assert.deepEqual([path.end.kind, 'link' in path.end && path.end.link], ['left', 'eth0']);
});

test('where a packet and its answer are lost between the hosts', () => {
  const out = { sightings: [seen('eth0', 'out', 1)] };
  assert.equal(explain(acrossHosts(out, {})).sentence, 'Left host1 by eth0 to 192.0.2.9, and did not come to host2.');
  const answered = { sightings: [seen('eth0', 'in', 5), seen('eth0', 'out', 6, true)] };
  const { sentence, cause } = explain(acrossHosts(out, answered));
  assert.equal(cause, 'answer-lost-between-hosts');
  assert.equal(sentence, 'Answered, but what host2 sends back by eth0 does not come to host1.');
});

test('a peer that saw nothing is not accused by its prediction', () => {
  const trace = acrossHosts({ sightings: [seen('eth0', 'out', 1)] }, {});
  assert.ok(trace.remote?.trace);
  trace.remote.trace.path.end = { kind: 'not-forwarded', namespaceId: '1', packet };
  assert.equal(explain(trace).cause, 'lost-between-hosts');
});

test('a peer that was not asked: what this host saw, why, and what to do', () => {
  const { remote: _, ...trace } = acrossHosts({ sightings: [seen('eth0', 'out', 1)] }, {});
  const remote = { peer, knownHosts: [], problem: 'it is busy', hint: 'try again' };
  const { sentence, outcome, fix } = explain({ ...trace, remote });
  assert.equal(sentence, 'Left host1 by eth0 to 192.0.2.9; no answer came back; host2 could not be asked: it is busy.');
  assert.deepEqual([outcome, fix], ['unknown', 'try again']);
});

test('times of the peer are those of this host, whatever its clock', () => {
  const own = { sightings: [seen('eth0', 'out', 1), seen('eth0', 'out', 900), seen('eth0', 'in', 3, true)] };
  const theirs = { sightings: [seen('eth0', 'in', 500), seen('eth0', 'out', 501, true)] };
  const times = acrossHosts(own, theirs).remote?.trace?.evidence?.sightings.map(({ atMs }) => atMs);
  assert.deepEqual(times, [1.5, 2.5]);
});
