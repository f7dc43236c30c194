/** The two probes of a trace: the second, for which rules are traced, is sent when the first is not answered as predicted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { ListeningSocket } from '@netyard/topology';
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
  /** Results of the probes in their order. `late`: when another probe is sent. */
  results: readonly { outcome: ProbeResult['outcome']; late?: true }[];
  /** What the first observation sees; null: it cannot observe. */
  watched?: Seen | null;
}

/** Logs what is opened, sent and closed. */
function fakeTools({ results, watched = onItsWay }: Script, log: string[]): TraceTools {
  let probes = 0;
  const another = Promise.withResolvers<void>();
  const observation = (name: string, seen: Seen): Observation => {
    log.push(name);
    return {
      start: () => undefined,
      collect: async () => structuredClone(seen),
      close: () => void log.push(`end ${name}`),
    };
  };
  return {
    observe: async () => topology,
    resolve: async () => undefined,
    openProbe: async () => {
      const own = probes++;
      const { outcome = 'timeout', late } = results[own] ?? {};
      return {
        sourcePort: 40_000 + own,
        send: async () => {
          log.push(`send ${own + 1}`);
          if (own > 0) another.resolve();
          await (late ? another.promise : setImmediate());
          return { outcome, ms: 1 };
        },
        close: () => void log.push(`end probe ${own + 1}`),
      };
    },
    watch: async () => (watched === null ? undefined : observation('watch', watched)),
    arm: async () => observation('arm', nothing),
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
    assert.deepEqual(log, ['arm', 'send 1', 'end arm', 'end probe 1']);
    assert.equal(report.observed, 'rules');
  }
});

test('a link whose neighbours cannot be asked, as one of WireGuard, does not end the trace', async () => {
  const request = { from: 'host', to: '192.0.2.9', port: 80, protocol: 'tcp' } as const;
  const { report, log } = await run({ results: [{ outcome: 'timeout' }, { outcome: 'timeout' }] }, request);
  assert.deepEqual(report.incomplete, ['who has 192.0.2.9 on eth0 of host cannot be asked: no such device']);
  assert.notEqual(report.conclusion.outcome, 'reached');
  assert.ok(isClosed(log), log.join());
});
