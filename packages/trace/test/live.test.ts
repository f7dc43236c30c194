/** Traces of what other programs send. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NamespaceCounters, PacketHeaders, PacketTracing, RuleTraceMessage, TcpFlag } from '@netyard/kernel';
import type { HostNamespace, HostTopology } from '@netyard/topology';
import { traceLive } from '../src/live.ts';
import { openLiveObservation } from '../src/live-observation.ts';
import type { LivePacket, TraceTools } from '../src/tools.ts';
import { hostWith } from './host-fixture.ts';

const request = { from: 'a', to: 'web', port: 80, protocol: 'tcp' } as const;
const topology = hostWith([
  { name: 'a', network: 'bridge', address: '172.17.0.2' },
  { name: 'web', network: 'bridge', address: '172.17.0.3' },
]);
const [host, a, web] = topology.namespaces as [HostNamespace, HostNamespace, HostNamespace];

const headersOf = (from: string, to: string, flags: TcpFlag[]): PacketHeaders => {
  const [source = '', sourcePort] = from.split(':');
  const [destination = '', destinationPort] = to.split(':');
  return {
    ...{ version: 4, source, destination, protocol: 6, length: 60, ttl: 64 },
    ...{ sourcePort: Number(sourcePort), destinationPort: Number(destinationPort) },
    tcp: { flags, sequence: 1, acknowledgement: 0 },
  };
};

const live = (namespace: HostNamespace, direction: 'in' | 'out', ms: number, headers: PacketHeaders): LivePacket => ({
  namespace,
  packet: { link: 'eth0', direction, time: BigInt(ms * 1e6), headers },
});

const syn = live(a, 'out', 10, headersOf('172.17.0.2:40000', '172.17.0.3:80', ['SYN']));
const answer = live(a, 'in', 12, headersOf('172.17.0.3:80', '172.17.0.2:40000', ['SYN', 'ACK']));

function toolsWith(batches: LivePacket[][]): { tools: TraceTools; log: string[] } {
  const log: string[] = [];
  const tools = {
    observe: async (): Promise<HostTopology> => topology,
    resolve: async () => undefined,
    readConntrack: async () => undefined,
    askNeighbour: async () => ({ namespaceId: host.id, link: 'docker0', address: '172.17.0.3', macs: [] }),
    armLive: async () => ({
      poll: async () => batches.shift() ?? [],
      forget: () => log.push('forget'),
      collect: async (first: LivePacket) => {
        log.push(`collect ${first.packet.headers.sourcePort}`);
        return { sightings: [], verdicts: [], counters: [], drops: [], incomplete: [] };
      },
      close: () => log.push('close'),
    }),
  };
  return { tools: tools as unknown as TraceTools, log };
}

test('the first connection from one end to the other is followed; others are forgotten', async () => {
  const established = live(a, 'out', 1, headersOf('172.17.0.2:39999', '172.17.0.3:80', ['ACK']));
  const fromOther = live(web, 'out', 2, headersOf('172.17.0.3:39998', '172.17.0.3:80', ['SYN']));
  const translated = live(host, 'out', 3, headersOf('172.17.0.2:39997', '172.17.0.3:80', ['SYN']));
  const { tools, log } = toolsWith([[established, fromOther, translated], [syn], [answer]]);
  const ready: string[] = [];
  const report = await traceLive(tools, request, { onReady: () => void ready.push('ready') });
  assert.equal(report.conclusion.sentence, 'a reaches web: 172.17.0.3:80 answered after 2.0 ms.');
  assert.equal(report.packet.sourcePort, 40_000);
  assert.deepEqual([...ready, ...log], ['ready', 'forget', 'collect 40000', 'close']);
});

test('an RST is a refusal, and no packet until the timeout is no answer', async () => {
  const refused = live(a, 'in', 11, headersOf('172.17.0.3:80', '172.17.0.2:40000', ['RST', 'ACK']));
  const { conclusion } = await traceLive(toolsWith([[syn, refused]]).tools, { ...request });
  assert.equal(conclusion.outcome, 'not-reached');
  const { tools, log } = toolsWith([]);
  const silent = await traceLive(tools, request, { timeoutMs: 0 });
  assert.equal(silent.conclusion.sentence, 'No connection from a to web:80 was seen in 0 s.');
  assert.deepEqual(log, ['forget', 'close']);
});

test('of what was read, only the packets and verdicts of the chosen connection become evidence', async () => {
  const other = headersOf('172.17.0.9:50000', '172.17.0.3:80', ['SYN']);
  const message = (traceId: number, headers: PacketHeaders | undefined, chain: string): RuleTraceMessage => ({
    ...{ traceId, family: 'ip', table: 'fw', chain, type: 'rule', verdict: 'drop', own: false, rule: { handle: 1 } },
    ...(headers === undefined ? {} : { headers }),
  });
  const packets = [other, syn.packet.headers].map((headers, index) => ({
    ...{ namespace: a.path, link: 'eth0', linkIndex: 2, direction: 'out', time: BigInt(index), headers },
  }));
  const messages = [message(1, other, 'other'), message(2, syn.packet.headers, 'own'), message(1, undefined, 'other')];
  const tracing = {
    readCounters: (): NamespaceCounters => ({ protocols: new Map(), links: new Map() }),
    openPacketWatch: () => ({
      read: async () => ({ packets: packets.splice(0), drops: [] }),
      incomplete: false,
      close: () => {},
    }),
    openRuleTrace: () => ({ read: () => messages.splice(0), incomplete: false, close: () => {} }),
  } as unknown as PacketTracing;
  const match = { family: 4, protocol: 'tcp', id: 0, servicePorts: [80] } as const;
  const observation = openLiveObservation(tracing, { namespaces: [a], match });
  const seen = await observation.poll();
  const first = seen.find(({ packet }) => packet.headers.sourcePort === 40_000);
  assert.ok(first);
  observation.forget();
  const { sightings, verdicts } = await observation.collect(first);
  assert.deepEqual(
    sightings.map(({ packet }) => packet.sourcePort),
    [40_000],
  );
  assert.deepEqual(
    verdicts.map(({ chain, verdict }) => [chain, verdict]),
    [['own', 'drop']],
  );
  observation.close();
});
