/** The two probes of a trace: the second, for which rules are traced, is sent when the first is not answered as predicted. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { HostTopology, ListeningSocket } from '@netyard/topology';
import type { ProbeResult, Sighting, TraceEvidence, TraceRequest } from '../src/model.ts';
import { type TraceOptions, trace } from '../src/run.ts';
import type { Observation, TraceTools } from '../src/tools.ts';
import { hostWith } from './host-fixture.ts';

const listener: ListeningSocket = {
  ...{ protocol: 'tcp', address: '0.0.0.0', port: 80, v6only: false, waiting: 0, backlog: 511 },
};
const topology = hostWith([
  { name: 'app', network: 'bridge', address: '172.17.0.2' },
  { name: 'web', network: 'bridge', address: '172.17.0.3', sockets: [listener] },
]);
const [, , web] = topology.namespaces;
const toWeb: TraceRequest = { from: 'app', to: 'web', port: 80, protocol: 'tcp' };

type Seen = Pick<TraceEvidence, 'sightings' | 'verdicts' | 'counters' | 'drops' | 'incomplete'>;
const nothing: Seen = { sightings: [], verdicts: [], counters: [], drops: [], incomplete: [] };

const entered = (namespaceId: string, link: string): Sighting => ({
  ...{ namespaceId, link, direction: 'in', atMs: 1, isAnswer: false, flags: 'S' },
  packet: { protocol: 'tcp', destination: '172.17.0.3' },
});
const onItsWay: Seen = { ...nothing, sightings: [entered('1', 'veth0'), entered(web?.id ?? '', 'eth0')] };

interface Script {
  /** Results of the probes in their order. `late`: when another probe is sent; `until`: what is waited for. */
  results: readonly { outcome: ProbeResult['outcome']; late?: true; until?: 'reduced' | 'aborted' }[];
  /** What the first observation sees; null: it cannot observe. */
  watched?: Seen | null;
  /** What each complete observation sees. */
  armed?: readonly Partial<Seen>[];
  host?: HostTopology;
}

/** Logs what is opened, sent and closed. */
function fakeTools({ results, watched = onItsWay, armed = [], host = topology }: Script, log: string[]): TraceTools {
  let probes = 0;
  let observations = 0;
  let reduced = Promise.withResolvers<void>();
  const another = Promise.withResolvers<void>();
  const observation = (name: string, seen: Seen): Observation => {
    log.push(name);
    return {
      start: () => undefined,
      peek: async () => structuredClone(seen.sightings),
      reduce: () => {
        log.push(`reduce ${name}`);
        reduced.resolve();
      },
      collect: async () => structuredClone(seen),
      close: () => void log.push(`end ${name}`),
    };
  };
  return {
    observe: async () => host,
    resolve: async () => undefined,
    openProbe: async () => {
      const own = probes++;
      const { outcome = 'timeout', late, until } = results[own] ?? {};
      return {
        sourcePort: 40_000 + own,
        send: async (_, signal) => {
          log.push(`send ${own + 1}`);
          if (own > 0) another.resolve();
          reduced = Promise.withResolvers();
          if (until === 'reduced') await reduced.promise;
          else if (until === 'aborted' && signal) await once(signal, 'abort');
          else await (late ? another.promise : setImmediate());
          if (until) log.push(until);
          return { outcome, ms: 1 };
        },
        close: () => void log.push(`end probe ${own + 1}`),
      };
    },
    watch: async () => (watched === null ? undefined : observation('watch', watched)),
    arm: async () => observation('arm', { ...nothing, ...armed[observations++] }),
    armLive: () => Promise.reject(new Error('a probe is sent')),
    askNeighbour: () => Promise.reject(new Error('no such device')),
    readConntrack: async () => undefined,
  };
}

async function run(script: Script, request = toWeb, options: TraceOptions = {}) {
  const log: string[] = [];
  const report = await trace(fakeTools(script, log), request, options);
  return { report, log, source: report.packet.sourcePort };
}

const isClosed = (log: readonly string[]): boolean =>
  log.filter((line) => line.startsWith('end')).length === log.filter((line) => /^(watch|arm|send)/.test(line)).length;

test('a target that answers as predicted needs no rules: steps are seen or predicted', async () => {
  const { report, log } = await run({ results: [{ outcome: 'answered' }] });
  assert.deepEqual(log, ['watch', 'send 1', 'end watch', 'end probe 1']);
  assert.deepEqual([report.conclusion.outcome, report.observed], ['reached', 'packets']);
  assert.deepEqual(
    report.steps.map(({ name, state }) => `${name} ${state}`),
    [
      ...['route 172.17.0.0/16 dev eth0 predicted', 'eth0 predicted', 'veth0 seen', 'docker0 predicted'],
      ...['veth1 predicted', 'eth0 seen', 'listener predicted'],
    ].map((line) => line.replace(/^route /, '')),
  );
});

test('without BPF only the answer is observed, and all hops are predicted', async () => {
  const { report, log } = await run({ results: [{ outcome: 'answered' }], watched: null });
  assert.deepEqual(log, ['send 1', 'end probe 1']);
  assert.deepEqual([report.conclusion.outcome, report.observed], ['reached', 'answer']);
  assert.ok(report.steps.every(({ state }) => state === 'predicted'));
});

test('a second probe is sent by another port, with rules, when the first is not answered or refused', async () => {
  for (const outcome of ['timeout', 'refused', 'error'] as const) {
    const { report, log, source } = await run({ results: [{ outcome }, { outcome: 'timeout' }] });
    assert.deepEqual(log.slice(0, 4), ['watch', 'send 1', 'arm', 'send 2'], outcome);
    assert.deepEqual([report.observed, source], ['rules', 40_001]);
    assert.notEqual(report.conclusion.outcome, 'reached');
    assert.ok(isClosed(log), log.join());
  }
});

test('an answer that contradicts the prediction, or an incomplete observation, is observed again with rules', async () => {
  const { sightings } = onItsWay;
  for (const watched of [
    { ...onItsWay, incomplete: ['some packets were not seen'] },
    { ...onItsWay, sightings: sightings.slice(0, 1) },
    { ...onItsWay, sightings: [...sightings, entered('9999', 'eth0')] },
  ]) {
    const { report, log } = await run({ results: [{ outcome: 'answered' }, { outcome: 'answered' }], watched });
    assert.deepEqual(log.slice(0, 4), ['watch', 'send 1', 'arm', 'send 2']);
    assert.deepEqual([report.conclusion.outcome, report.observed], ['reached', 'rules']);
  }
  const other = await run({ results: [{ outcome: 'answered' }, { outcome: 'answered' }] }, { ...toWeb, port: 81 });
  assert.ok(other.log.includes('arm'), 'nothing listens on this port, and something answers');
});

test('a late answer counts, and it is said that a second probe had none', async () => {
  const { report, log, source } = await run({
    results: [{ outcome: 'answered', late: true }, { outcome: 'timeout' }],
  });
  assert.deepEqual(log.slice(0, 4), ['watch', 'send 1', 'arm', 'send 2']);
  assert.deepEqual([report.conclusion.outcome, report.observed, source], ['reached', 'packets', 40_000]);
  assert.deepEqual(report.incomplete, ['why a second probe, sent before this answer came, had none (timeout)']);
  assert.ok(isClosed(log), log.join());
});

test('everything is observed at once if that is asked for, and for the outside, which does not answer', async () => {
  for (const [request, options] of [
    [toWeb, { full: true }],
    [{ from: 'app', to: 'outside', port: 80, protocol: 'tcp' }, {}],
  ] as const) {
    const { report, log } = await run({ results: [{ outcome: 'timeout' }] }, request, options);
    assert.deepEqual(log, ['arm', 'send 1', 'reduce arm', 'end arm', 'end probe 1']);
    assert.equal(report.observed, 'rules');
  }
});

const droppedAt = (atMs: number): Partial<Seen> => ({
  drops: [
    {
      ...{ namespaceId: '1', link: 'veth1', reason: 'NETFILTER_DROP', atMs, isAnswer: true, flags: 'SA' },
      packet: { protocol: 'tcp', source: '172.17.0.3', destination: '172.17.0.2' },
    },
  ],
});

test('rules are traced while the probe is on its way, not until its answer is given up', async () => {
  const { log } = await run({ results: [{ outcome: 'timeout' }, { outcome: 'timeout', until: 'reduced' }] });
  const rest = log.slice(log.indexOf('send 2'));
  assert.deepEqual(rest.slice(0, 4), ['send 2', 'reduce arm', 'reduce watch', 'reduced']);
  assert.equal(log.filter((line) => line === 'arm').length, 1, 'nothing happened later');
  assert.ok(isClosed(log), log.join());
});

test('another probe is sent with rules until the end when something was dropped after they were traced', async () => {
  const results = [{ outcome: 'timeout' }, { outcome: 'timeout', until: 'reduced' }, { outcome: 'timeout' }] as const;
  const { log, source } = await run({ results, armed: [droppedAt(500), droppedAt(500)] });
  assert.deepEqual(
    log.filter((line) => /^(arm|send)/.test(line)),
    ['send 1', 'arm', 'send 2', 'arm', 'send 3'],
  );
  assert.equal(source, 40_002);
  const known = await run({ results, armed: [droppedAt(5)] });
  assert.equal(known.source, 40_001, 'dropped while rules were traced');
});

test('a trace to the outside ends when the packet has left', async () => {
  const request = { from: 'host', to: 'outside', port: 80, protocol: 'tcp' } as const;
  const [own] = topology.namespaces;
  const host = hostWith([], {
    routes: [
      ...(own?.routes ?? []),
      { family: 4, to: 'default', via: '192.0.2.254', link: 'eth0', table: 254, type: 'unicast', protocol: 3 },
    ],
  });
  const left: Sighting = { ...entered('1', 'eth0'), direction: 'out' };
  const { report, log } = await run(
    { results: [{ outcome: 'timeout', until: 'aborted' }], armed: [{ sightings: [left] }], host },
    request,
  );
  assert.deepEqual(log.slice(0, 3), ['arm', 'send 1', 'aborted']);
  assert.equal(report.conclusion.cause, 'left-host', report.conclusion.sentence);
});

test('a link whose neighbours cannot be asked, as one of WireGuard, does not end the trace', async () => {
  const request = { from: 'host', to: '192.0.2.9', port: 80, protocol: 'tcp' } as const;
  const { report, log } = await run({ results: [{ outcome: 'timeout' }, { outcome: 'timeout' }] }, request);
  assert.deepEqual(report.incomplete, ['who has 192.0.2.9 on eth0 of host cannot be asked: no such device']);
  assert.notEqual(report.conclusion.outcome, 'reached');
  assert.ok(isClosed(log), log.join());
});
