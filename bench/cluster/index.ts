/**
 * A daemon beside many hosts of a cluster: an etcd of Debian's in a lab host, two daemons, one with a few others and one
 * with many, whose keys are written as theirs would be; and twice what the daemons make, made by the kernel box alone.
 * TimeSlice by turn, so that what else the machine does meets all alike.
 */
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { execInHost, findHost, type HostHandle } from '@netyard/lab';
import { daemonMemory } from '../engine.ts';
import { inLab, say } from '../in-lab.ts';
import type { Answer, Order } from './in-host.ts';
import { type ClusterSamples, formatCluster } from './report.ts';
import { labSwitch, mostHosts, ownBip, pool } from './simulated-hosts.ts';

const lab = 'bench-cluster';
const etcdAddress = '172.16.0.1';
/** Others beside the one that has few. */
const few = 10;
/** Joins and leaves that are not counted: what runs for the first time is compiled. */
const uncounted = 10;
/** Times that all come at once and go. */
const allRounds = 3;
/** Until what a daemon does in the background after a change is over. */
const settleMs = 700;
/** Between one measurement and the next of the same daemon. */
const breathMs = 60;

const places = ['few', 'many', 'fewAlone', 'manyAlone'] as const;
type PlaceName = (typeof places)[number];
const urlOf = (place: PlaceName): string => (place.endsWith('Alone') ? 'alone' : `etcd://${etcdAddress}:2379/${place}`);

function definition(): string {
  const etcd = [
    'exec etcd --name {host} --data-dir {state}/etcd',
    '--listen-client-urls http://{address}:2379 --advertise-client-urls http://{address}:2379',
    '--listen-peer-urls http://{address}:2380 --initial-advertise-peer-urls http://{address}:2380',
    '--initial-cluster {host}=http://{address}:2380',
  ].join(' ');
  const ready = 'etcdctl --endpoints http://{address}:2379 endpoint health';
  const host = (place: PlaceName, index: number) => {
    const address = `172.16.0.${2 + index}`;
    const flags = [`--cluster-subnet=${pool.subnet}`, `--cluster-subnet-size=${pool.subnetSize}`];
    return place.endsWith('Alone')
      ? { address, daemon: false }
      : { address, bip: ownBip, daemon: [`--cluster=${urlOf(place)}`, ...flags] };
  };
  return JSON.stringify({
    name: lab,
    switch: labSwitch,
    hosts: {
      etcd: { address: etcdAddress, daemon: false, services: { etcd: { run: etcd, ready } } },
      ...Object.fromEntries(places.map((place, index) => [place, host(place, index)])),
    },
  });
}

type Ask = (order: Order) => Promise<Answer>;

/** The program inside a host, controlled by commands. It ends with the lab. */
function openPlace(handle: HostHandle, url: string): Ask {
  const command = [process.execPath, `${import.meta.dirname}/in-host.ts`, url];
  const stdio = ['pipe', 'pipe', 'inherit'] as const;
  const child = execInHost(handle, command, { environment: process.env, folder: '/', stdio: [...stdio] });
  const { stdin, stdout } = child;
  if (!stdin || !stdout) throw new Error('no pipes');
  const ended = new Promise<never>((_, reject) =>
    child.once('exit', (status) => reject(new Error(`${handle.host}: the program ended with status ${status}`))),
  );
  ended.catch(() => undefined);
  const answers = createInterface({ input: stdout })[Symbol.asyncIterator]();
  return async (order) => {
    stdin.write(`${JSON.stringify(order)}\n`);
    const { value } = await Promise.race([answers.next(), ended]);
    return JSON.parse(String(value)) as Answer;
  };
}

type Asks = Record<PlaceName, Ask>;

/** All of `count` at once, beside what the kernel box and `ip` need for the same. Each leaves as it came. */
async function allAtOnce(
  ask: Asks,
  count: number,
): Promise<Pick<ClusterSamples, 'all' | 'allWritten' | 'allAlone' | 'batch'>> {
  const [all, allWritten, allAlone, batch]: [number[], number[], number[], number[]] = [[], [], [], []];
  for (let round = 0; round < allRounds; round += 1) {
    batch.push((await ask.fewAlone({ verb: 'batch', from: 1, count })).figure);
    allAlone.push((await ask.manyAlone({ verb: 'join', from: 1, count })).figure);
    const { figure, written } = await ask.many({ verb: 'join', from: 1, count });
    all.push(figure);
    allWritten.push(written);
    await pause(settleMs);
    if (round + 1 === allRounds) break;
    for (const place of ['many', 'manyAlone'] as const) await ask[place]({ verb: 'leave', from: 1, count });
    await pause(settleMs);
  }
  return { all, allWritten, allAlone, batch };
}

/** How many each has, counted in the kernel: whoever measures has to know beside how many. */
async function checkCounts(ask: Asks, count: number): Promise<void> {
  for (const place of places) {
    const wanted = place.startsWith('few') ? few : count;
    const { figure: found } = await ask[place]({ verb: 'count' });
    if (found !== wanted) throw new Error(`${place}: ${found} routes and not ${wanted}`);
  }
}

/** One comes, one goes, everywhere in turns; who goes is taken from all places in the order in which they came. */
async function oneByOne(ask: Asks, rounds: number, count: number) {
  const samples = Object.fromEntries(places.map((place) => [place, { join: [], leave: [] }])) as unknown as Record<
    PlaceName,
    { join: number[]; leave: number[] }
  >;
  const etcd: number[] = [];
  const present = { few: upTo(few), many: upTo(count), fewAlone: upTo(few), manyAlone: upTo(count) };
  for (let round = -uncounted; round < rounds; round += 1) {
    const turn = round % 2 === 0 ? places : places.toReversed();
    const share = ((round + uncounted) * 0.618) % 1;
    const comes = count + 1 + round + uncounted;
    const echo = await ask.many({ verb: 'echo' });
    if (round >= 0) etcd.push(echo.figure);
    for (const verb of ['join', 'leave'] as const) {
      for (const place of turn) {
        const list = present[place];
        const [goes = 0] = verb === 'leave' ? list.splice(Math.floor(share * (list.length - 1)), 1) : [];
        if (verb === 'join') list.push(comes);
        const { figure } = await ask[place]({ verb, from: verb === 'join' ? comes : goes, count: 1 });
        if (round >= 0) samples[place][verb].push(figure);
        await pause(breathMs);
      }
    }
  }
  const both = (verb: 'join' | 'leave', end: '' | 'Alone') => ({
    few: samples[`few${end}`][verb],
    many: samples[`many${end}`][verb],
  });
  return {
    ...{ join: both('join', ''), leave: both('leave', '') },
    ...{ joinAlone: both('join', 'Alone'), leaveAlone: both('leave', 'Alone'), etcd },
  };
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

async function measure(count: number, rounds: number): Promise<ClusterSamples> {
  const ask = Object.fromEntries(
    places.map((place) => [place, openPlace(findHost(`${lab}/${place}`), urlOf(place))]),
  ) as Asks;
  const daemon = findHost(`${lab}/many`);
  await ask.many({ verb: 'count' });
  const before = daemonMemory(daemon);
  say(`${count} hosts at once, ${allRounds} times …`);
  const atOnce = await allAtOnce(ask, count);
  const after = daemonMemory(daemon);
  for (const place of ['few', 'fewAlone'] as const) await ask[place]({ verb: 'join', from: 1, count: few });
  await pause(settleMs);
  await checkCounts(ask, count);
  say(`one host joins, one leaves, ${rounds} rounds …`);
  const single = await oneByOne(ask, rounds, count);
  await checkCounts(ask, count);
  return { few, many: count, ...atOnce, ...single, memory: { before, after } };
}

export interface ClusterBenchOptions {
  rounds: number;
  /** Played hosts beside the daemon that has many. */
  hosts: number;
}

/** Prints its table. */
export async function cluster({ rounds, hosts }: ClusterBenchOptions): Promise<void> {
  const most = mostHosts - rounds - uncounted;
  if (hosts <= few || hosts > most) throw new Error(`--hosts: from ${few + 1} to ${most} with these rounds`);
  const samples = await inLab(definition(), () => measure(hosts, rounds));
  console.log(formatCluster(samples));
}
