/** What requests wait for while containers write as fast as they can and clients follow: beside dockerd, and quiet. */
import { setTimeout as pause } from 'node:timers/promises';
import { api, docker, type Engine, engineIn, startDockerd } from '../engine.ts';
import { inLab, say } from '../in-lab.ts';
import { timed } from '../measure.ts';
import { image } from '../scenarios.ts';
import { type Kind, makeNoise } from './noise.ts';
import { formatStalls, type Latencies, type Row } from './report.ts';

const lab = 'bench';
const definition = `
name: ${lab}
switch: 172.30.0.0/16
hosts:
  netyard: { address: 172.30.0.1/16 }
  dockerd: { address: 172.30.0.2/16, daemon: false }
`;
const followers = 20;
const requestsPerRound = 10;
const betweenRequestsMs = 5;
/** A `docker run` that comes alone, not in the wake of the requests before it. */
const beforeRunMs = 300;
/** Noise without a request: until it is steady, and while it counts. */
const settleMs = 1_000;
const undisturbedMs = 5_000;

export interface StallOptions {
  /** `docker run`s that count for each row; ten times as many `GET /version`. */
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

async function besideNoise(engine: Engine, kind: Kind, count: number, rounds: number): Promise<Latencies> {
  const noise = await makeNoise(engine, kind, count, followers);
  try {
    await pause(settleMs);
    const alone = await noise.during(() => pause(undisturbedMs));
    let latencies: Latencies = { version: [], run: [] };
    const beside = await noise.during(async () => {
      latencies = await sample(engine, rounds);
    });
    return { ...latencies, output: { alone, beside } };
  } finally {
    await noise.end();
  }
}

/** One engine after the other: noise of one would be measured at the other. */
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

/** Prints its table. */
export async function stall({ rounds, archive, counts, kinds, names }: StallOptions): Promise<void> {
  const rows = await inLab(definition, async () => {
    const engines = names.map((name) => engineIn(lab, name));
    for (const engine of engines) {
      if (engine.name === 'dockerd') await startDockerd(engine);
      await docker(engine, 'load', '-q', '-i', archive);
      await sample(engine, 3); // to warm up
    }
    const found = [await rowOf('nothing', engines, (engine) => sample(engine, rounds))];
    for (const kind of kinds)
      for (const count of counts)
        found.push(await rowOf(`${count} x ${kind}`, engines, (engine) => besideNoise(engine, kind, count, rounds)));
    return found;
  });
  console.log(
    `Stalls: p50 / p99 / maximum of ${rounds * requestsPerRound} GET /version and ${rounds} docker run beside noisy ` +
      `containers with ${followers} followers; ratios of p50 / p99.\n`,
  );
  console.log(formatStalls(rows));
}
