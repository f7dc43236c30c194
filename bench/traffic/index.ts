/**
 * TCP between containers of two hosts over several paths, and of one host, in one lab: throughput, round trips and new
 * connections. Measurements alternate between the paths, so that other load of the machine affects all alike.
 */
import { findHost, type HostHandle } from '@netyard/lab';
import { type Engine, engineIn, setUpEngine } from '../engine.ts';
import { inLab, say } from '../in-lab.ts';
import { type Member, openBridge, openOverlay, openPeers, openPublished } from './engines.ts';
import { firewalledHost, firewalledTunnel, openHost, openManual, type Side, tunnelledHost } from './manual-setup.ts';
import type { Candidate, Path } from './path.ts';
import { probeDelays, probeThroughput, startServers } from './probe.ts';
import { formatReport, type Row, type Samplings } from './report.ts';

const lab = 'bench-traffic';

/** Pairs of hosts in the order of their addresses: 172.16.2.101 and .102, and so on. */
const pairs = [
  ...(['routes', 'hand', 'firewalled', 'tunnel', 'handtunnel', 'walledtunnel', 'swarm', 'opentunnel'] as const),
  ...(['routed', 'handrouted'] as const),
] as const;
type Pair = (typeof pairs)[number];
const withNetyard: readonly Pair[] = ['routes', 'tunnel', 'opentunnel', 'routed'];
/** Pairs whose second host is on another switch, behind the router. */
const routedPairs: readonly Pair[] = ['routed', 'handrouted'];
const switches = { near: '172.16', far: '172.20' } as const;

/** Subnets of the containers on the first and on the second host of each pair: 192.168.N.0/24, as in the tutorial. */
const subnets = [11, 12] as const;

const switchOf = (pair: Pair, end: 0 | 1): keyof typeof switches =>
  end === 1 && routedPairs.includes(pair) ? 'far' : 'near';
const addressOf = (pair: Pair, end: 0 | 1): string =>
  `${switches[switchOf(pair, end)]}.2.${101 + 2 * pairs.indexOf(pair) + end}`;
const hostOf = (pair: Pair, end: 0 | 1): HostHandle => findHost(`${lab}/${pair}${end + 1}`);

function definition(): string {
  const hosts = pairs.flatMap((pair) =>
    ([0, 1] as const).map((end) => {
      const place = { switch: switchOf(pair, end), address: addressOf(pair, end) };
      const gateway = routedPairs.includes(pair) ? { gateway: 'r1' } : {};
      const bip = `192.168.${subnets[end]}.1/24`;
      const options = pair === 'opentunnel' ? { daemon: ['--tunnel-firewall=false'] } : {};
      const daemon = withNetyard.includes(pair) ? { bip, ...options } : { daemon: false };
      return [`${pair}${end + 1}`, { ...place, ...gateway, ...daemon }] as const;
    }),
  );
  return JSON.stringify({
    name: lab,
    switches: { near: `${switches.near}.0.0/16`, far: `${switches.far}.0.0/16` },
    routers: { r1: { near: `${switches.near}.0.1`, far: `${switches.far}.0.1` } },
    hosts: Object.fromEntries(hosts),
  });
}

const sidesOf = (pair: Pair): [Side, Side] => [
  {
    ...{ host: hostOf(pair, 0), own: subnets[0], other: subnets[1] },
    ...{ address: addressOf(pair, 0), otherAddress: addressOf(pair, 1) },
  },
  {
    ...{ host: hostOf(pair, 1), own: subnets[1], other: subnets[0] },
    ...{ address: addressOf(pair, 1), otherAddress: addressOf(pair, 0) },
  },
];

function membersOf(pair: Pair, name: 'netyard' | 'dockerd'): [Member, Member] {
  const member = (end: 0 | 1): Member => ({
    engine: engineIn(lab, name, `${pair}${end + 1}`),
    address: addressOf(pair, end),
    subnet: `192.168.${subnets[end]}.0/24`,
  });
  return [member(0), member(1)];
}

function candidates(archive: string): Candidate[] {
  const ready = async (members: [Member, Member]): Promise<[Member, Member]> => {
    for (const { engine } of members) await setUpEngine(engine, archive);
    return members;
  };
  const hosts = async (): Promise<Path> => ({
    client: { host: hostOf('routes', 0), netns: undefined },
    server: { host: hostOf('routes', 1), netns: undefined },
    address: addressOf('routes', 1),
  });
  const peers = async (pair: Pair, via: string): Promise<Path> =>
    openPeers(await ready(membersOf(pair, 'netyard')), via);
  const overlay = async (): Promise<Path> => openOverlay(await ready(membersOf('swarm', 'dockerd')));
  // Not on the hosts of the path `hosts`, whose servers listen on the same ports of the host itself.
  const members = { netyard: membersOf('tunnel', 'netyard'), dockerd: membersOf('swarm', 'dockerd') };
  const bridge = async (name: Engine['name']): Promise<Path> => openBridge((await ready(members[name]))[1]);
  const published = async (name: Engine['name']): Promise<Path> => openPublished(await ready(members[name]));
  return [
    { key: 'routes', title: 'netyard peers, routes', open: () => peers('routes', 'route') },
    { key: 'hosts', title: 'host to host, no containers', open: hosts },
    { key: 'hand', title: 'manual, no firewall', open: () => openManual(openHost, sidesOf('hand')) },
    { key: 'firewalled', title: 'manual, firewall', open: () => openManual(firewalledHost, sidesOf('firewalled')) },
    { key: 'tunnel', title: 'netyard peers, VXLAN', open: () => peers('tunnel', 'vxlan') },
    {
      key: 'opentunnel',
      title: 'netyard peers, VXLAN, --tunnel-firewall=false',
      open: () => peers('opentunnel', 'vxlan'),
    },
    {
      key: 'handtunnel',
      title: 'manual, VXLAN, no firewall',
      open: () => openManual(tunnelledHost, sidesOf('handtunnel')),
    },
    {
      key: 'walledtunnel',
      title: 'manual, VXLAN, firewall',
      open: () => openManual(firewalledTunnel, sidesOf('walledtunnel')),
    },
    { key: 'routed', title: 'netyard peers, VXLAN through a router', open: () => peers('routed', 'auto') },
    {
      ...{ key: 'handrouted', title: 'manual, VXLAN through a router, firewall' },
      open: () => openManual(firewalledTunnel, sidesOf('handrouted')),
    },
    { key: 'swarm', title: 'dockerd, Swarm overlay', open: overlay },
    { key: 'bridge', title: 'netyard, one bridge', open: () => bridge('netyard') },
    { key: 'dockerbridge', title: 'dockerd, one bridge', open: () => bridge('dockerd') },
    { key: 'published', title: 'netyard, published port', open: () => published('netyard') },
    { key: 'dockerpublished', title: 'dockerd, published port', open: () => published('dockerd') },
  ];
}

interface Open {
  candidate: Candidate;
  path: Path | undefined;
  /** Why the path is unavailable. */
  absent: string;
}

async function openAll(all: readonly Candidate[]): Promise<Open[]> {
  const opened: Open[] = [];
  for (const candidate of all) {
    say(`  ${candidate.title} …`);
    try {
      const path = await candidate.open();
      await startServers(path);
      opened.push({ candidate, path, absent: '' });
    } catch (error) {
      opened.push({ candidate, path: undefined, absent: error instanceof Error ? error.message : String(error) });
    }
  }
  return opened;
}

/** Rounds of delays per round of throughput: they take less time each. */
const delayRounds = 4;

/** Alternates between the paths; each round starts with another one. The first round is not measured. */
async function alternate<T>(
  opened: readonly Open[],
  rounds: number,
  probe: (path: Path) => Promise<T>,
): Promise<T[][]> {
  const samples: T[][] = opened.map(() => []);
  for (let round = -1; round < rounds; round += 1) {
    for (let turn = 0; turn < opened.length; turn += 1) {
      const index = (turn + round + opened.length) % opened.length;
      const path = opened[index]?.path;
      if (!path) continue;
      const measured = await probe(path);
      if (round >= 0) samples[index]?.push(measured);
    }
  }
  return samples;
}

async function measure(opened: readonly Open[], rounds: number, seconds: number): Promise<Row[]> {
  say(`round trips and new connections, ${rounds * delayRounds} rounds …`);
  const delays = await alternate(opened, rounds * delayRounds, probeDelays);
  say(`throughput, ${rounds} rounds …`);
  const throughput = await alternate(opened, rounds, (path) => probeThroughput(path, seconds));
  return opened.map(({ candidate: { key, title }, absent }, index): Row => {
    const samplings: Samplings = {
      throughput: throughput[index]?.map((one) => one.throughput) ?? [],
      roundTrip: delays[index]?.map((one) => one.roundTrip) ?? [],
      roundTrip99: delays[index]?.map((one) => one.roundTrip99) ?? [],
      connection: delays[index]?.map((one) => one.connection) ?? [],
    };
    return { key, title, absent, samplings };
  });
}

export interface TrafficOptions {
  rounds: number;
  seconds: number;
  /** The test image's archive. */
  archive: string;
}

/** Measures and prints the tables. */
export async function traffic({ rounds, seconds, archive }: TrafficOptions): Promise<void> {
  const rows = await inLab(definition(), async () => {
    const opened = await openAll(candidates(archive));
    return await measure(opened, rounds, seconds);
  });
  console.log(formatReport(rows));
}
