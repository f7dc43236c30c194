/** What requests wait for while containers write as fast as they can and clients follow: beside dockerd, and quiet. */
import { setTimeout as pause } from 'node:timers/promises';
import { api, docker, type Engine, engineIn, startDockerd } from '../engine.ts';
import { inLab, say } from '../in-lab.ts';
import { timed } from '../measure.ts';
import { image } from '../scenarios.ts';
import { type Kind, kinds, makeNoise } from './noise.ts';
import { formatStalls, type Latencies, type Row } from './report.ts';

const lab = 'bench';
const definition = `
name: ${lab}
switch: 172.30.0.0/16
hosts:
  netyard: { address: 172.30.0.1/16 }
  dockerd: { address: 172.30.0.2/16, daemon: false }
`;
const counts = [1, 4, 8];
const followers = 20;
const requestsPerRun = 10;
const betweenRequestsMs = 5;

export interface StallOptions {
  /** `docker run`s that count for each row; ten times as many `GET /version`. */
  rounds: number;
  archive: string;
}

async function sample(engine: Engine, rounds: number): Promise<Latencies> {
  const version: number[] = [];
  const run: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    for (let count = 0; count < requestsPerRun; count += 1) {
      version.push(await timed(() => api(engine, 'GET', '/version')));
      await pause(betweenRequestsMs);
    }
    run.push(await timed(() => docker(engine, 'run', '--rm', image, 'true')));
  }
  return { version, run, throughput: undefined };
}

async function besideNoise(engine: Engine, kind: Kind, count: number, rounds: number): Promise<Latencies> {
  const noise = await makeNoise(engine, kind, count, followers);
  try {
    const before = await noise.written();
    const started = performance.now();
    const latencies = await sample(engine, rounds);
    const seconds = (performance.now() - started) / 1000;
    return { ...latencies, throughput: ((await noise.written()) - before) / seconds / 1e6 };
  } finally {
    await noise.end();
  }
}

/** One engine after the other: noise of one would be measured at the other. */
async function rowOf(name: string, engines: PerName, once: (engine: Engine) => Promise<Latencies>): Promise<Row> {
  say(`${name} …`);
  const netyard = await once(engines.netyard);
  return { name, netyard, dockerd: await once(engines.dockerd) };
}

type PerName = Record<Engine['name'], Engine>;

/** Prints its table. */
export async function stall({ rounds, archive }: StallOptions): Promise<void> {
  const rows = await inLab(definition, async () => {
    const engines: PerName = { netyard: engineIn(lab, 'netyard'), dockerd: engineIn(lab, 'dockerd') };
    await startDockerd(engines.dockerd);
    for (const engine of Object.values(engines)) {
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
    `Stalls: p50 / p99 / maximum beside noisy containers with ${followers} followers; ratios of p50 / p99.\n`,
  );
  console.log(formatStalls(rows));
}
