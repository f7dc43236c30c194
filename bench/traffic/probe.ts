/** Measures one way once: throughput with iperf3, round trips and new connections with echo.pl. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { execInHost } from '@netyard/lab';
import { output } from '../in-lab.ts';
import { commandAt, ports, type Way } from './path.ts';

const echo = join(import.meta.dirname, 'echo.pl');

/**
 * For throughput, sender and receiver have a processor each, where there are two. Round trips stay on one: between
 * two, what is measured is how long a sleeping processor takes to wake, which in a virtual machine is most of it.
 */
const processors = availableParallelism() > 1 ? { client: 0, server: 1 } : { client: 0, server: 0 };

/** Gbit/s of TCP payload, as the receiver counts it. */
export interface Throughput {
  throughput: number;
}

/** Microseconds. */
export interface Delays {
  /** One byte there and one back, half of them and 99 of 100 within. */
  roundTrip: number;
  roundTrip99: number;
  /** From connect(2) to the first answer, half of them within. */
  connection: number;
}

export type Measured = Throughput & Delays;

const effort = { roundTrips: 1500, connections: 300 };

/** Starts what answers at the server's end; it ends with the lab. Returns when both do answer. */
export async function startServers(way: Way): Promise<void> {
  const commands: [number, string[]][] = [
    [processors.server, ['iperf3', '-s', '-p', ports.iperf]],
    [processors.client, ['perl', echo, 'answer', ports.echo]],
  ];
  for (const [processor, command] of commands) {
    const child = execInHost(way.server.host, commandAt(way.server, processor, command), {
      environment: process.env,
      folder: '/',
      stdio: 'ignore',
      detached: true,
    });
    child.unref();
  }
  await firstAnswer(way);
}

/** Names, neighbours and gossip may need a moment before the first packet passes. */
async function firstAnswer(way: Way): Promise<void> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    try {
      await times(way, 'ask', 10);
      await iperf(way, 1);
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await pause(200);
    }
  }
}

export async function probeDelays(way: Way): Promise<Delays> {
  const roundTrips = await times(way, 'ask', effort.roundTrips);
  const connections = await times(way, 'connect', effort.connections);
  return {
    roundTrip: percentile(roundTrips, 0.5),
    roundTrip99: percentile(roundTrips, 0.99),
    connection: percentile(connections, 0.5),
  };
}

/** `seconds` of one stream; iperf3 knows whole ones only. */
export const probeThroughput = async (way: Way, seconds: number): Promise<Throughput> => ({
  throughput: await iperf(way, seconds),
});

const run = (way: Way, command: readonly string[]): Promise<string> =>
  output(way.client.host, commandAt(way.client, processors.client, command));

async function iperf(way: Way, seconds: number): Promise<number> {
  const patience = ['--connect-timeout', '3000'];
  const command = ['iperf3', '-c', way.address, '-p', ports.iperf, '-t', String(seconds), ...patience, '-J'];
  const report = JSON.parse(await run(way, command)) as { end?: { sum_received?: { bits_per_second?: number } } };
  const rate = report.end?.sum_received?.bits_per_second;
  if (rate === undefined) throw new Error('iperf3 gave no rate');
  return rate / 1e9;
}

async function times(way: Way, mode: 'ask' | 'connect', count: number): Promise<number[]> {
  const said = await run(way, ['perl', echo, mode, way.address, ports.echo, String(count)]);
  return said.trim().split('\n').map(Number);
}

function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
