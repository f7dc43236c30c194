/** Measures one path once: throughput with iperf3, round trips and new connections with echo.pl. */
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { execInHost } from '@netyard/lab';
import { output } from '../in-lab.ts';
import { commandAt, type Path, ports } from './path.ts';

const echo = join(import.meta.dirname, 'echo.pl');

/**
 * For throughput, sender and receiver have their own processors if possible. Round trips use one processor: between two,
 * most of the time in a virtual machine is the wake-up of an idle processor.
 */
const processors = availableParallelism() > 1 ? { client: 0, server: 1 } : { client: 0, server: 0 };

/** Gbit/s of TCP payload, counted by the receiver. */
export interface Throughput {
  throughput: number;
}

/** Microseconds. */
export interface Delays {
  /** One byte in each direction: median and 99th percentile. */
  roundTrip: number;
  roundTrip99: number;
  /** From connect(2) to the first answer: median. */
  connection: number;
}

export type Measured = Throughput & Delays;

const samples = { roundTrips: 1500, connections: 300 };

/** Starts the servers, which end with the lab, and waits until both answer. */
export async function startServers(path: Path): Promise<void> {
  const commands: [number, string[]][] = [
    [processors.server, ['iperf3', '-s', '-p', ports.iperf]],
    [processors.client, ['perl', echo, 'answer', ports.echo]],
  ];
  for (const [processor, command] of commands) {
    const child = execInHost(path.server.host, commandAt(path.server, processor, command), {
      environment: process.env,
      folder: '/',
      stdio: 'ignore',
      detached: true,
    });
    child.unref();
  }
  await firstAnswer(path);
}

/** Waits: neighbour resolution and Swarm's gossip may delay the first packet. */
async function firstAnswer(path: Path): Promise<void> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    try {
      await times(path, 'ask', 10);
      await iperf(path, 1);
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await pause(200);
    }
  }
}

export async function probeDelays(path: Path): Promise<Delays> {
  const roundTrips = await times(path, 'ask', samples.roundTrips);
  const connections = await times(path, 'connect', samples.connections);
  return {
    roundTrip: percentile(roundTrips, 0.5),
    roundTrip99: percentile(roundTrips, 0.99),
    connection: percentile(connections, 0.5),
  };
}

/** Round trips as long as something lasts, in microseconds. */
export interface Followed {
  mean: number;
  median: number;
}

/** All round trips of one byte from the start of `work` to its end. */
export async function followDelays(path: Path, work: () => Promise<unknown>): Promise<Followed> {
  const command = commandAt(path.client, processors.client, ['perl', echo, 'follow', path.address, ports.echo]);
  const child = execInHost(path.client.host, command, {
    ...{ environment: process.env, folder: '/', stdio: ['ignore', 'pipe', 'inherit'] },
  });
  let received = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    received += text;
  });
  const ended = once(child, 'close');
  await Promise.race([child.stdout && once(child.stdout, 'data'), ended]);
  try {
    await work();
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
  const [started, ...lines] = received.trim().split('\n');
  if (started !== 'started' || lines.length === 0)
    throw new Error(`no round trips to ${path.address} while they are followed`);
  const all = lines.map(Number);
  return { mean: all.reduce((sum, one) => sum + one, 0) / all.length, median: percentile(all, 0.5) };
}

/** One stream for `seconds`, which iperf3 limits to whole numbers. */
export const probeThroughput = async (path: Path, seconds: number): Promise<Throughput> => ({
  throughput: await iperf(path, seconds),
});

const run = (path: Path, command: readonly string[]): Promise<string> =>
  output(path.client.host, commandAt(path.client, processors.client, command));

async function iperf(path: Path, seconds: number): Promise<number> {
  const timeout = ['--connect-timeout', '3000'];
  const command = ['iperf3', '-c', path.address, '-p', ports.iperf, '-t', String(seconds), ...timeout, '-J'];
  const report = JSON.parse(await run(path, command)) as { end?: { sum_received?: { bits_per_second?: number } } };
  const rate = report.end?.sum_received?.bits_per_second;
  if (rate === undefined) throw new Error('iperf3 reported no rate');
  return rate / 1e9;
}

async function times(path: Path, mode: 'ask' | 'connect', count: number): Promise<number[]> {
  const received = await run(path, ['perl', echo, mode, path.address, ports.echo, String(count)]);
  return received.trim().split('\n').map(Number);
}

function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
