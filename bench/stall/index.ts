/** Latency of requests while containers write as fast as they can and clients follow, compared with dockerd and idle. */
import { setTimeout as pause } from 'node:timers/promises';
import { api, docker, type Engine, engineLab, openEngines } from '../engine.ts';
import { inLab, say } from '../in-lab.ts';
import { timed } from '../measure.ts';
import { image } from '../scenarios.ts';
import { type Kind, makeNoise } from './noise.ts';
import { formatStalls, type Latencies, type Row } from './report.ts';

const lab = 'bench';
const followers = 20;
const requestsPerRound = 10;
const betweenRequestsMs = 5;
/** Separates a `docker run` from the requests before it. */
const beforeRunMs = 300;
/** Output without requests: until it is steady, and while it is measured. */
const settleMs = 1_000;
const undisturbedMs = 5_000;

export interface StallOptions {
  /** Measured `docker run`s per row; ten times as many `GET /version`. */
  rounds: number;
  archive: string;
  counts: readonly number[];
  kinds: readonly Kind[];
  names: readonly Engine['name'][];
}

async function sample(engine: Engine, rounds: number): Promise<Latencies> {
  const version: number[] = [];
  const run: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    for (let count = 0; count < requestsPerRound; count += 1) {
      version.push(await timed(() => api(engine, 'GET', '/version')));
      await pause(betweenRequestsMs);
    }
    await pause(beforeRunMs);
    run.push(await timed(() => docker(engine, 'run', '--rm', image, 'true')));
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
    `Stalls: p50 / p99 / maximum of ${rounds * requestsPerRound} GET /version and ${rounds} docker run while ` +
      `containers write with ${followers} followers; ratios of p50 / p99.\n`,
  );
  console.log(formatStalls(rows));
}
