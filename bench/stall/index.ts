/** Latency of requests while containers write as fast as they can and clients follow, compared with dockerd and idle. */
import { setTimeout as pause } from 'node:timers/promises';
import { docker, type Engine, engineLab, openEngines } from '../engine.ts';
import { inLab, say } from '../in-lab.ts';
import { machineFact } from '../machine.ts';
import { timed } from '../measure.ts';
import { image } from '../scenarios.ts';
import { Disturbance } from './disturbance.ts';
import { type Kind, makeNoise } from './noise.ts';
import {
  formatForDocument,
  formatStalls,
  type Group,
  joinGroups,
  type Loaded,
  leastDisturbed,
  leastRuns,
  type Measured,
  type Row,
  undisturbed,
} from './report.ts';
import { type RequestProcess, startRequests } from './request-process.ts';

const lab = 'bench';
const followers = 20;
/** One request in a hundred is slower than p99, so ten of each row are. */
const leastRequests = 1_000;
/** Of the process that sends them. */
const warmUpRequests = 50;
/** Separates a `docker run` from the requests before it. */
const beforeRunMs = 300;
/** A slower engine is measured with fewer requests, so that a table with dockerd takes less than an hour. */
const enoughMs = 45_000;
const leastGroups = 3;
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

/** Some requests and one `docker run`, and what other programs took of the CPUs meanwhile. */
async function measureGroup(engine: Engine, requests: RequestProcess, rounds: number): Promise<Group> {
  const disturbance = new Disturbance([engine]);
  const version = await requests.measure(requestsPerRound(rounds));
  await pause(beforeRunMs);
  const run = [await timed(() => docker(engine, 'run', '--rm', image, 'true'))];
  return { version, run, foreign: disturbance.take() };
}

/**
 * Measures groups until enough of them are undisturbed, or twice as many as needed, or the time is over.
 * @param share part of a row's groups
 */
async function sample(engine: Engine, rounds: number, share = 1): Promise<Group[]> {
  const required = Math.ceil(rounds * share);
  const groups: Group[] = [];
  const requests = startRequests(engine);
  const end = performance.now() + enoughMs;
  const inTime = (): boolean => groups.length < leastGroups || performance.now() < end;
  try {
    await requests.measure(warmUpRequests);
    while (groups.length < 2 * required && undisturbed(groups).length < required && inTime())
      groups.push(await measureGroup(engine, requests, rounds));
  } finally {
    requests.end();
  }
  return leastDisturbed(groups, required);
}

async function underNoise(engine: Engine, kind: Kind, count: number, rounds: number): Promise<Loaded> {
  const noise = await makeNoise(engine, kind, count, followers);
  try {
    await pause(settleMs);
    const alone = await noise.during(() => pause(undisturbedMs));
    let groups: Group[] = [];
    const busy = await noise.during(async () => {
      groups = await sample(engine, rounds);
    });
    return { ...joinGroups(groups), output: { alone, busy } };
  } finally {
    await noise.end();
  }
}

/**
 * Half of an idle engine's reference, measured just before and just after its output, so that changes of the machine
 * affect both. What was measured last for this engine, with nothing in between, counts for two rows.
 */
class IdleHalves {
  readonly #rounds: number;
  #last: { engine: Engine; groups: Group[] } | undefined;

  constructor(rounds: number) {
    this.#rounds = rounds;
  }

  async around(engine: Engine, work: () => Promise<Loaded>): Promise<Measured> {
    const before = this.#last?.engine === engine ? this.#last.groups : await this.#measure(engine);
    const loaded = await work();
    const after = await this.#measure(engine);
    this.#last = { engine, groups: after };
    return { loaded, idle: joinGroups([...before, ...after]) };
  }

  async #measure(engine: Engine): Promise<Group[]> {
    await pause(settleMs);
    return sample(engine, this.#rounds, 0.5);
  }
}

/** Measures and prints the table. @returns the table as Markdown */
export async function stall({ rounds, archive, counts, kinds, names }: StallOptions): Promise<string> {
  const rows = await inLab(engineLab(lab), async () => {
    const engines = await openEngines(lab, archive, names);
    for (const engine of engines) await sample(engine, 3); // warm-up
    const idle = new IdleHalves(rounds);
    const found: Row[] = [];
    for (const kind of kinds)
      for (const count of counts) {
        const row: Row = { name: `${count} x ${kind}` };
        // One engine after the other: output of one would disturb the measurement of the other.
        for (const engine of engines) {
          say(`${row.name}: ${engine.name} …`);
          row[engine.name] = await idle.around(engine, () => underNoise(engine, kind, count, rounds));
        }
        engines.reverse(); // the next row begins with the engine that was measured last
        found.push(row);
      }
    return found;
  });
  const least = leastRuns(rows);
  const measured =
    `p50 / p99 of ${rounds * requestsPerRound(rounds)} \`GET /version\` and ${rounds} \`docker run\` while containers ` +
    `write with ${followers} followers, and of as many of the idle engine, half of them before and half after` +
    (least < rounds
      ? ` (fewer if they took ${enoughMs / 1000} s, at least ${least * requestsPerRound(rounds)} and ${least})`
      : '');
  console.log(`Stalls: ${measured}; maximum; ratios of p50 / p99.\n\n${formatStalls(rows)}`);
  return formatForDocument(rows, [`In ms, ${measured}. ${machineFact()}`]);
}
