/**
 * What user-defined networks cost as they become many: creation, connections and lookups among few and among many, the
 * daemon's memory, and `network connect` compared with dockerd.
 */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { api, daemonMemory, docker, type Engine, engineLab, openEngines, timePost } from '../engine.ts';
import { inLab, output, say } from '../in-lab.ts';
import { type Comparison, formatComparison, formatTable, type Samples, timed } from '../measure.ts';
import { alternate, image } from '../scenarios.ts';

const lab = 'bench';
const sleeper = ['sleep', '1000000'];
/** Names of each container on one of several networks. */
const aliases = 10;
const lookupRounds = 20;
/** Connections that are not measured. */
const warmUpRounds = 10;
const restMs = 15_000;
/** Netyard samples the setting. */
const followMs = 2000;
/** The last tenth may take this much longer than the first. */
const flat = 1.2;

export interface NetworksOptions {
  rounds: number;
  /** Number of networks, of names, and of endpoints in one network. */
  count: number;
  archive: string;
}

const tenth = (samples: readonly unknown[]): number => Math.max(1, Math.floor(samples.length / 10));

/** The last of the samples compared with as many of the first. */
const lastToFirst = (name: string, samples: Samples, count = tenth(samples)): Comparison => ({
  name,
  ours: samples.slice(-count),
  theirs: samples.slice(0, count),
  ...{ oursName: 'last', theirsName: 'first', unit: 'ms', target: flat },
});

const compared = (name: string, ours: Samples, theirs: Samples, theirsName: string, target: number): Comparison => ({
  ...{ name, ours, theirs, oursName: '', theirsName, unit: 'ms', target },
});

interface Report {
  rows: Comparison[];
  /** Sentences below the table. */
  notes: string[];
}

async function each(names: readonly string[], work: (name: string) => Promise<unknown>): Promise<number[]> {
  const samples: number[] = [];
  for (const name of names) samples.push(await timed(() => work(name)));
  return samples;
}

const numbered = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`);

const createNetwork = (engine: Engine, name: string, config: object[] = []): Promise<string> =>
  api(engine, 'POST', '/networks/create', { Name: name, IPAM: { Config: config } });
const removeNetwork = (engine: Engine, name: string): Promise<string> => api(engine, 'DELETE', `/networks/${name}`);
const connect = (engine: Engine, network: string, container: string): Promise<string> =>
  api(engine, 'POST', `/networks/${network}/connect`, { Container: container });
const disconnect = (engine: Engine, network: string, container: string): Promise<string> =>
  api(engine, 'POST', `/networks/${network}/disconnect`, { Container: container });

/** The kernel removes interfaces after `disconnect` has answered, under the lock that the next connect needs. */
const removalMs = 100;

type Client = 'bytes' | 'node:http';

/** `network connect` of a running container, in milliseconds; it is disconnected again. */
async function timeConnect(engine: Engine, network: string, container: string, client: Client): Promise<number> {
  const ms =
    client === 'bytes'
      ? await timePost(engine, `/networks/${network}/connect`, { Container: container })
      : await timed(() => connect(engine, network, container));
  await disconnect(engine, network, container);
  await pause(removalMs);
  return ms;
}

/** Memory in MiB after the daemon has collected its garbage and returned free memory, as it does when it is idle. */
async function memoryAtRest({ handle }: Engine): Promise<number> {
  await pause(restMs);
  return daemonMemory(handle);
}

/** How much the daemon's memory at rest has grown since it was `before` MiB, for each of `count` objects. */
const growthPerObject = async (engine: Engine, before: number, count: number): Promise<string> =>
  `${((((await memoryAtRest(engine)) - before) * 1024) / count).toFixed(0)} KiB`;

/** Lookups from inside a container, in milliseconds. */
async function lookUp(engine: Engine, id: string, names: readonly string[], rounds = lookupRounds): Promise<Samples> {
  const script = join(import.meta.dirname, 'lookup.ts');
  const inside = ['ip', 'netns', 'exec', `ny-${id.slice(0, 12)}`, process.execPath, script, String(rounds), ...names];
  return JSON.parse(await output(engine.handle, inside)) as Samples;
}

async function manyNetworks(engine: Engine, count: number): Promise<Report> {
  say(`${count} networks …`);
  const names = numbered('bench-net', count);
  const before = await memoryAtRest(engine);
  const created = await each(names, (name) => createNetwork(engine, name));
  const growth = await growthPerObject(engine, before, count);
  const ends = [...names.slice(0, tenth(names)), ...names.slice(-tenth(names))];
  const removed = await each(ends, (name) => removeNetwork(engine, name)); // the others stay for the next parts
  return {
    rows: [
      lastToFirst(`network create, ${count}`, created),
      lastToFirst(`network rm, ${count}`, removed, tenth(names)),
    ],
    notes: [`daemon's memory per network: ${growth}`],
  };
}

/** A container with several names on each of many networks. */
async function manyNames(engine: Engine, count: number): Promise<Report> {
  const networks = numbered('bench-names', count / aliases);
  say(`${count} names over ${networks.length} networks …`);
  for (const name of networks) await createNetwork(engine, name);
  const namesOn = (network: string): string[] => numbered(`${network}-alias`, aliases);
  const run = (network: string): Promise<string> =>
    docker(
      ...([engine, 'run', '-d', '--network', network] as const),
      ...namesOn(network).flatMap((name) => ['--network-alias', name]),
      ...[image, ...sleeper],
    );
  const [first = ''] = networks;
  const id = await run(first);
  const few = await lookUp(engine, id, namesOn(first));
  const started = await each(networks.slice(1), run);
  const many = await lookUp(engine, id, namesOn(first));
  return {
    rows: [
      lastToFirst(`docker run, ${networks.length} networks`, started),
      compared(`lookup among ${count} names`, many, few, `${aliases} names`, flat),
      compared(`lookup among ${count} names`, many, [1], 'limit', 1),
    ],
    notes: [],
  };
}

async function largeNetwork(engine: Engine, count: number): Promise<Report> {
  say(`${count} containers in one network …`);
  await createNetwork(engine, 'bench-large', [{ Subnet: '10.100.0.0/16' }]);
  const probe = await docker(engine, 'run', '-d', image, ...sleeper);
  const connects = async (): Promise<Samples> => {
    const once = (): Promise<number> => timeConnect(engine, 'bench-large', probe, 'bytes');
    return (await alternate([engine], 20, once, warmUpRounds)).netyard;
  };
  const before = await memoryAtRest(engine); // so that both connects are measured after a rest
  const amongFew = await connects();
  const names = numbered('bench-member', count);
  const body = { Image: image, Cmd: sleeper, HostConfig: { NetworkMode: 'bench-large' } };
  const started = await each(names, async (name) => {
    await api(engine, 'POST', `/containers/create?name=${name}`, body);
    await api(engine, 'POST', `/containers/${name}/start`);
  });
  const growth = await growthPerObject(engine, before, count);
  const amongMany = await connects();
  await connect(engine, 'bench-large', probe);
  const lookups = await lookUp(engine, probe, [names[0] ?? '', names.at(-1) ?? ''], 200);
  return {
    rows: [
      lastToFirst(`create and start, ${count} in a network`, started),
      compared(`network connect, ${count} others`, amongMany, amongFew, 'no others', flat),
      compared(`lookup, ${count} in a network`, lookups, [1], 'limit', 1),
    ],
    notes: [`daemon's memory per container in a network: ${growth}`],
  };
}

/**
 * `network connect` of a running container to a user-defined network, through the API: with as little client as possible,
 * and with Node's, which takes 0.4 ms of its own.
 */
async function besideDockerd(engines: readonly Engine[], rounds: number): Promise<Comparison[]> {
  say('network connect beside dockerd …');
  const ids = new Map<Engine, string>();
  for (const engine of engines) {
    await createNetwork(engine, 'bench-connect');
    ids.set(engine, await docker(engine, 'run', '-d', image, ...sleeper));
  }
  const ofNode: Record<Engine['name'], number[]> = { netyard: [], dockerd: [] };
  const once = async (engine: Engine, round: number): Promise<number> => {
    const time = (client: Client): Promise<number> =>
      timeConnect(engine, 'bench-connect', ids.get(engine) ?? '', client);
    const other = await time('node:http');
    if (round >= warmUpRounds) ofNode[engine.name].push(other);
    return time('bytes');
  };
  const { netyard, dockerd } = await alternate(engines, rounds, once, warmUpRounds);
  for (const engine of engines) {
    await docker(engine, 'rm', '-f', ids.get(engine) ?? '');
    await removeNetwork(engine, 'bench-connect');
  }
  return [
    compared('network connect', netyard, dockerd, 'dockerd', 1 / 9),
    compared('network connect, node:http', ofNode.netyard, ofNode.dockerd, 'dockerd', 1 / 9),
  ];
}

/**
 * In both hosts, as where no other program loaded br_netfilter; with it networks of Netyard have one bridge. The lab's
 * hosts have it when the machine has.
 */
async function switchBridgeNetfilterOff(engines: readonly Engine[]): Promise<void> {
  const script = 'for file in /proc/sys/net/bridge/bridge-nf-call-*; do [ ! -e "$file" ] || echo 0 > "$file"; done';
  for (const { handle } of engines) await output(handle, ['sh', '-c', script]);
  await pause(followMs);
}

/** Measures and prints the table. */
export async function networks({ rounds, count, archive }: NetworksOptions): Promise<void> {
  const { rows, notes } = await inLab(engineLab(lab), async () => {
    const engines = await openEngines(lab, archive);
    const [netyard] = engines;
    await switchBridgeNetfilterOff(engines);
    if (!netyard) throw new Error('no engine');
    const connects = await besideDockerd(engines, rounds);
    const reports = [await manyNetworks(netyard, count), await manyNames(netyard, count)];
    reports.push(await largeNetwork(netyard, count));
    return {
      rows: [...connects, ...reports.flatMap((report) => report.rows)],
      notes: reports.flatMap((report) => report.notes),
    };
  });
  console.log('Networks: medians (90th percentile in brackets); last and first: a tenth of all each.\n');
  console.log(formatTable(rows.map(formatComparison)));
  console.log(`\n${notes.join('\n')}`);
}
