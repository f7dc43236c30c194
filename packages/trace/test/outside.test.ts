/** Traces from and to beyond the uplink. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HostTopology, ListeningSocket, PublishedPort } from '@netyard/topology';
import { findEnd } from '../src/ends.ts';
import { explain } from '../src/explain/explain.ts';
import type { Conclusion, Sighting, TraceRequest } from '../src/model.ts';
import { prepare } from '../src/prepare.ts';
import { stepsOf } from '../src/report.ts';
import type { TraceTools } from '../src/tools.ts';
import { hostWith } from './host-fixture.ts';

const nginx: ListeningSocket = {
  ...{ protocol: 'tcp', address: '0.0.0.0', port: 80, v6only: false, waiting: 0, backlog: 128 },
  process: { pid: 7, name: 'nginx' },
};
const publishing = (...ports: PublishedPort[]): HostTopology =>
  hostWith([{ name: 'web', network: 'bridge', address: '172.17.0.3', rest: { ports }, sockets: [nginx] }]);
const on8080 = (hostAddress: string): PublishedPort => ({
  ...{ protocol: 'tcp', hostAddress, hostPort: 8080, containerPort: 80 },
});

function withDefaultRoute(topology: HostTopology): HostTopology {
  topology.namespaces[0]?.routes.push({
    ...{ family: 4, to: 'default', table: 254, type: 'unicast', protocol: 3, via: '192.0.2.9', link: 'eth0' },
  });
  return topology;
}

const preparing = (topology: HostTopology, request: TraceRequest): ReturnType<typeof prepare> =>
  prepare({ observe: async () => topology } as unknown as TraceTools, request);
const fromOutside = (topology: HostTopology): ReturnType<typeof prepare> =>
  preparing(topology, { from: 'outside', to: 'web', port: 80, protocol: 'tcp' });

test('from outside to a published port: by the uplink, to the port of the host, and only predicted', async () => {
  const trace = await fromOutside(publishing(on8080('0.0.0.0')));
  assert.deepEqual(
    stepsOf(trace).map(({ place, kind, name }) => `${place} ${kind} ${name}`),
    [
      ...['host1 link eth0', 'host1 translation port 8080/tcp of web', 'host1 route 172.17.0.0/16 dev docker0'],
      ...['host1 bridge docker0', 'host1 link veth0', 'web link eth0', 'web socket nginx'],
    ],
  );
  const conclusion = explain(trace);
  assert.deepEqual([conclusion.outcome, conclusion.grade], ['unknown', 'predicted']);
  assert.equal(
    conclusion.sentence,
    'What comes in by eth0 for 192.0.2.1:8080 is for web, unless a firewall rule says otherwise: this host cannot send as if from outside.',
  );
});

test('from outside to a port that is not published, or on loopback only', async () => {
  const none = explain(await fromOutside(publishing()));
  assert.equal(none.sentence, 'web does not publish 80/tcp, so nothing outside host1 reaches it.');
  assert.equal(none.fix, 'netyard port add web 80:80/tcp');
  const near = explain(await fromOutside(publishing(on8080('127.0.0.1'))));
  assert.equal(near.sentence, '80/tcp of web is published on 127.0.0.1 only, so nothing outside host1 reaches it.');
});

test('from outside to outside, or to a name that is none of this host', async () => {
  for (const to of ['outside', 'db.example'])
    await assert.rejects(preparing(publishing(), { from: 'outside', to, protocol: 'icmp' }), { code: 'invalid' });
});

test('outside is reached by the default route, whatever else the host has routes to', () => {
  const topology = withDefaultRoute(hostWith([]));
  assert.deepEqual(findEnd(topology, 'outside')?.addresses, ['198.51.100.1', '2001:db8::1']);
});

async function toOutside(topology: HostTopology, source?: string): Promise<Conclusion> {
  const trace = await preparing(topology, { from: 'web', to: 'outside', protocol: 'icmp' });
  const packet = { ...trace.packet, ...(source === undefined ? {} : { source }) };
  const left: Sighting = {
    ...{ namespaceId: '1', link: 'eth0', direction: 'out', atMs: 0.2, packet, isAnswer: false, flags: '' },
  };
  const seen = source === undefined ? [] : [left];
  const rest = { verdicts: [], counters: [], drops: [], neighbours: [], incomplete: [] };
  return explain({ ...trace, evidence: { sightings: seen, ...rest, probe: { outcome: 'timeout', ms: 1200 } } });
}

test('to outside: what left by the uplink has got there, if its source address is one of the host', async () => {
  const left = await toOutside(withDefaultRoute(publishing()), '192.0.2.1');
  assert.equal(left.outcome, 'reached');
  assert.match(
    left.sentence,
    /^web reaches the outside of host1: its packet left by eth0 to 192\.0\.2\.9 as 192\.0\.2\.1;/,
  );
  const untranslated = await toOutside(withDefaultRoute(publishing()), '172.17.0.3');
  assert.equal(untranslated.cause, 'not-translated');
  assert.match(untranslated.fix ?? '', /iptables -t nat -A POSTROUTING -s 172\.17\.0\.3 -o eth0 -j MASQUERADE$/);
  const noRoute = await toOutside(hostWith([{ name: 'web', network: 'bridge', address: '172.17.0.3' }]));
  assert.equal(noRoute.sentence, 'host1 has no default route.');
});
