/** Latency of requests while containers write as fast as they can and clients follow, compared with dockerd and idle. */
import { setTimeout as pause } from 'node:timers/promises';
import { docker, type Engine, engineLab, openEngines } from '../engine.ts';
import { inLab, say } from '../in-lab.ts';
import { timed } from '../measure.ts';
import { image } from '../scenarios.ts';
import { type Kind, makeNoise } from './noise.ts';
import { formatStalls, type Latencies, type Row } from './report.ts';
import { startRequests } from './request-process.ts';

const lab = 'bench';
const followers = 20;
/** One request in a hundred is slower than p99, so ten of each row are. */
const leastRequests = 1_000;
/** Of the process that sends them. */
const warmUpRequests = 50;
/** Separates a `docker run` from the requests before it. */
const beforeRunMs = 300;
/** Output without requests: until it is steady, and while it is measured. */
const settleMs = 1_000;
const undisturbedMs = 5_000;

export interface StallOptions {
  /** Measured `docker run`s per row. The `GET /version` are sent in as many groups. */
  rounds: number;
  archive: string;
  counts: readonly number[];
  kinds: readonly Kind[];
  names: readonly Engine['name'][];
}

const requestsPerRound = (rounds: number): number => Math.ceil(leastRequests / rounds);

async function sample(engine: Engine, rounds: number): Promise<Latencies> {
  const version: number[] = [];
  const run: number[] = [];
  const requests = startRequests(engine);
  try {
    await requests.measure(warmUpRequests);
    for (let round = 0; round < rounds; round += 1) {
      version.push(...(await requests.measure(requestsPerRound(rounds))));
      await pause(beforeRunMs);
      run.push(await timed(() => docker(engine, 'run', '--rm', image, 'true')));
    }
  } finally {
    requests.end();
  }
  return { version, run };
}

async function underNoise(engine: Engine, kind: Kind, count: number, rounds: number): Promise<Latencies> {
  const noise = await makeNoise(engine, kind, count, followers);
  try {
    await pause(settleMs);
    const alone = await noise.during(() => pause(undisturbedMs));
    let latencies: Latencies = { version: [], run: [] };
    const busy = await noise.during(async () => {
      latencies = await sample(engine, rounds);
    });
    return { ...latencies, output: { alone, busy } };
  } finally {
    await noise.end();
  }
}

/** One engine after the other: output of one would disturb the measurement of the other. */
async function rowOf(
  name: string,
  engines: readonly Engine[],
  once: (engine: Engine) => Promise<Latencies>,
): Promise<Row> {
  const row: Row = { name };
  for (const engine of engines) {
    say(`${name}: ${engine.name} …`);
    row[engine.name] = await once(engine);
  }
  return row;
}

/** Measures and prints the table. */
export async function stall({ rounds, archive, counts, kinds, names }: StallOptions): Promise<void> {
  const rows = await inLab(engineLab(lab), async () => {
    const engines = await openEngines(lab, archive, names);
    for (const engine of engines) await sample(engine, 3); // warm-up
    const found = [await rowOf('idle', engines, (engine) => sample(engine, rounds))];
    for (const kind of kinds)
      for (const count of counts)
        found.push(await rowOf(`${count} x ${kind}`, engines, (engine) => underNoise(engine, kind, count, rounds)));
    return found;
  });
  console.log(
    `Stalls: p50 / p99 / maximum of ${rounds * requestsPerRound(rounds)} GET /version and ${rounds} docker run while ` +
      `containers write with ${followers} followers; ratios of p50 / p99.\n`,
  );
  console.log(formatStalls(rows));
}
