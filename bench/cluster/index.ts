/**
 * A daemon in a cluster of many hosts. Debian's etcd runs in a lab host. Two daemons have few and many other hosts, which
 * are simulated by their keys; in two more hosts the kernel package alone creates the same objects. Measurements alternate
 * between them, so that other load of the machine affects all alike.
 */
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { execInHost, findHost, type HostHandle } from '@netyard/lab';
import { daemonMemory } from '../engine.ts';
import { inLab, say } from '../in-lab.ts';
import type { Answer, Command } from './executor.ts';
import { type ClusterSamples, formatCluster } from './report.ts';
import { labSwitch, mostHosts, ownBip, pool } from './simulated-hosts.ts';

const lab = 'bench-cluster';
const etcdAddress = '172.16.0.1';
/** Number of other hosts of the daemon that has few. */
const few = 10;
/** Joins and leaves that are not measured: hot code is compiled. */
const uncounted = 10;
/** How often all hosts join at once and leave. */
const allRounds = 3;
/** A daemon's background work after a change takes less. */
const settleMs = 700;
/** Between two measurements of the same daemon. */
const intervalMs = 60;

const hostNames = ['few', 'many', 'fewAlone', 'manyAlone'] as const;
type HostName = (typeof hostNames)[number];
const urlOf = (name: HostName): string => (name.endsWith('Alone') ? 'alone' : `etcd://${etcdAddress}:2379/${name}`);

function definition(): string {
  const etcd = [
    'exec etcd --name {host} --data-dir {state}/etcd',
    '--listen-client-urls http://{address}:2379 --advertise-client-urls http://{address}:2379',
    '--listen-peer-urls http://{address}:2380 --initial-advertise-peer-urls http://{address}:2380',
    '--initial-cluster {host}=http://{address}:2380',
  ].join(' ');
  const ready = 'etcdctl --endpoints http://{address}:2379 endpoint health';
  const host = (name: HostName, index: number) => {
    const address = `172.16.0.${2 + index}`;
    const flags = [`--cluster-subnet=${pool.subnet}`, `--cluster-subnet-size=${pool.subnetSize}`];
    return name.endsWith('Alone')
      ? { address, daemon: false }
      : { address, bip: ownBip, daemon: [`--cluster=${urlOf(name)}`, ...flags] };
  };
  return JSON.stringify({
    name: lab,
    switch: labSwitch,
    hosts: {
      etcd: { address: etcdAddress, daemon: false, services: { etcd: { run: etcd, ready } } },
      ...Object.fromEntries(hostNames.map((name, index) => [name, host(name, index)])),
    },
  });
}

type Send = (command: Command) => Promise<Answer>;

/** Starts the program inside a host, which ends with the lab. @returns how to send it a command */
function startProgram(handle: HostHandle, url: string): Send {
  const program = [process.execPath, `${import.meta.dirname}/in-host.ts`, url];
  const stdio = ['pipe', 'pipe', 'inherit'] as const;
  const child = execInHost(handle, program, { environment: process.env, folder: '/', stdio: [...stdio] });
  const { stdin, stdout } = child;
  if (!stdin || !stdout) throw new Error('no pipes');
  const ended = new Promise<never>((_, reject) =>
    child.once('exit', (status) => reject(new Error(`${handle.host}: the program ended with status ${status}`))),
  );
  ended.catch(() => undefined);
  const answers = createInterface({ input: stdout })[Symbol.asyncIterator]();
  return async (command) => {
    stdin.write(`${JSON.stringify(command)}\n`);
    const { value } = await Promise.race([answers.next(), ended]);
    return JSON.parse(String(value)) as Answer;
  };
}

type Senders = Record<HostName, Send>;

/** All of `count` join at once, compared with the kernel package and `ip` alone. */
async function allAtOnce(
  senders: Senders,
  count: number,
): Promise<Pick<ClusterSamples, 'all' | 'allWritten' | 'allAlone' | 'batch'>> {
  const [all, allWritten, allAlone, batch]: [number[], number[], number[], number[]] = [[], [], [], []];
  for (let round = 0; round < allRounds; round += 1) {
    batch.push((await senders.fewAlone({ verb: 'batch', from: 1, count })).figure);
    allAlone.push((await senders.manyAlone({ verb: 'join', from: 1, count })).figure);
    const { figure, written } = await senders.many({ verb: 'join', from: 1, count });
    all.push(figure);
    allWritten.push(written);
    await pause(settleMs);
    if (round + 1 === allRounds) break;
    for (const name of ['many', 'manyAlone'] as const) await senders[name]({ verb: 'leave', from: 1, count });
    await pause(settleMs);
  }
  return { all, allWritten, allAlone, batch };
}

/** Checks in the kernel that each host has its number of routes. */
async function checkCounts(senders: Senders, count: number): Promise<void> {
  for (const name of hostNames) {
    const expected = name.startsWith('few') ? few : count;
    const { figure: found } = await senders[name]({ verb: 'count' });
    if (found !== expected) throw new Error(`${name}: ${found} routes instead of ${expected}`);
  }
}

/** One host joins and one leaves, alternating between all; those that leave are spread over the order of joining. */
async function oneByOne(senders: Senders, rounds: number, count: number) {
  const samples = Object.fromEntries(hostNames.map((name) => [name, { join: [], leave: [] }])) as unknown as Record<
    HostName,
    { join: number[]; leave: number[] }
  >;
  const etcd: number[] = [];
  const present = { few: upTo(few), many: upTo(count), fewAlone: upTo(few), manyAlone: upTo(count) };
  for (let round = -uncounted; round < rounds; round += 1) {
    const order = round % 2 === 0 ? hostNames : hostNames.toReversed();
    const share = ((round + uncounted) * 0.618) % 1;
    const joining = count + 1 + round + uncounted;
    const echo = await senders.many({ verb: 'echo' });
    if (round >= 0) etcd.push(echo.figure);
    for (const verb of ['join', 'leave'] as const) {
      for (const name of order) {
        const list = present[name];
        const [leaving = 0] = verb === 'leave' ? list.splice(Math.floor(share * (list.length - 1)), 1) : [];
        if (verb === 'join') list.push(joining);
        const { figure } = await senders[name]({ verb, from: verb === 'join' ? joining : leaving, count: 1 });
        if (round >= 0) samples[name][verb].push(figure);
        await pause(intervalMs);
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
  const senders = Object.fromEntries(
    hostNames.map((name) => [name, startProgram(findHost(`${lab}/${name}`), urlOf(name))]),
  ) as Senders;
  const daemon = findHost(`${lab}/many`);
  await senders.many({ verb: 'count' });
  const before = daemonMemory(daemon);
  say(`${count} hosts at once, ${allRounds} times …`);
  const atOnce = await allAtOnce(senders, count);
  const after = daemonMemory(daemon);
  for (const name of ['few', 'fewAlone'] as const) await senders[name]({ verb: 'join', from: 1, count: few });
  await pause(settleMs);
  await checkCounts(senders, count);
  say(`one host joins, one leaves, ${rounds} rounds …`);
  const single = await oneByOne(senders, rounds, count);
  await checkCounts(senders, count);
  return { few, many: count, ...atOnce, ...single, memory: { before, after } };
}

export interface ClusterBenchOptions {
  rounds: number;
  /** Simulated hosts of the daemon that has many. */
  hosts: number;
}

/** Measures and prints the table. */
export async function cluster({ rounds, hosts }: ClusterBenchOptions): Promise<void> {
  const most = mostHosts - rounds - uncounted;
  if (hosts <= few || hosts > most)
    throw new Error(`--hosts: not from ${few + 1} to ${most}, the limits with ${rounds} rounds`);
  const samples = await inLab(definition(), () => measure(hosts, rounds));
  console.log(formatCluster(samples));
}
