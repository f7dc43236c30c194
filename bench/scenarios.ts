/** What is measured. Each function leaves the engines as it found them, but for the crowd of `crowd`. */
import { api, docker, type Engine, engineMemory } from './engine.ts';
import { type Samples, timed } from './measure.ts';

export const image = 'netyard-test:latest';
const sleeper = ['sleep', '1000000'];

export type PerEngine = Record<Engine['name'], Samples>;

/** Rounds before anything is counted: caches fill, hot code is compiled, on both sides. */
const warmUpRounds = 25;
/** The same for what only one scenario does. */
const uncountedRounds = 5;

/** Runs `once` turn by turn on both, so that what else the machine does meets both alike. */
export async function inTimeSlices(
  engines: readonly Engine[],
  rounds: number,
  once: (engine: Engine, round: number) => Promise<number>,
  uncounted = 0,
): Promise<PerEngine> {
  const samples: Record<Engine['name'], number[]> = { netyard: [], dockerd: [] };
  for (let round = 0; round < rounds + uncounted; round += 1) {
    const order = round % 2 === 0 ? engines : [...engines].reverse();
    for (const engine of order) {
      const ms = await once(engine, round);
      if (round >= uncounted) samples[engine.name].push(ms);
    }
  }
  return samples;
}

/**
 * The first `docker run -d` of both daemons' lives, one figure each; then as much of run and rm, published and not, as
 * makes the figures that follow steady.
 */
export async function warmUp(engines: readonly Engine[]): Promise<PerEngine> {
  const first = await inTimeSlices(engines, 1, async (engine) => {
    let id = '';
    const ms = await timed(async () => {
      id = await docker(engine, 'run', '-d', image, ...sleeper);
    });
    await docker(engine, 'rm', '-f', id);
    return ms;
  });
  for (const options of [[], ['-p', '9000:80']]) await runAndRemove(engines, warmUpRounds, options);
  return first;
}

/** `docker run -d` and `docker rm -f`, the CLI's own time included. */
export async function runAndRemove(
  engines: readonly Engine[],
  rounds: number,
  options: readonly string[],
): Promise<{ run: PerEngine; remove: PerEngine }> {
  const remove: Record<Engine['name'], number[]> = { netyard: [], dockerd: [] };
  const once = async (engine: Engine, round: number): Promise<number> => {
    let id = '';
    const ms = await timed(async () => {
      id = await docker(engine, 'run', '-d', ...options, image, ...sleeper);
    });
    const removal = await timed(() => docker(engine, 'rm', '-f', id));
    if (round >= uncountedRounds) remove[engine.name].push(removal);
    return ms;
  };
  const run = await inTimeSlices(engines, rounds, once, uncountedRounds);
  return { run, remove };
}

/** Connecting a running container to `bridge` through the API, with or without a published port. */
export async function connect(
  engines: readonly Engine[],
  rounds: number,
  options: readonly string[],
): Promise<PerEngine> {
  const ids = new Map<Engine, string>();
  for (const engine of engines) ids.set(engine, await docker(engine, 'run', '-d', ...options, image, ...sleeper));
  const once = async (engine: Engine): Promise<number> => {
    const container = ids.get(engine) ?? '';
    await api(engine, 'POST', '/networks/bridge/disconnect', { Container: container });
    return await timed(() => api(engine, 'POST', '/networks/bridge/connect', { Container: container }));
  };
  const samples = await inTimeSlices(engines, rounds, once, uncountedRounds);
  for (const engine of engines) await docker(engine, 'rm', '-f', ids.get(engine) ?? '');
  return samples;
}

export interface SimulatedMembers {
  /** `docker run -d -p` of the first and of the last tenth. */
  first: PerEngine;
  last: PerEngine;
  /** MiB per container. */
  memory: Record<Engine['name'], number>;
  remove(): Promise<void>;
}

/** Fills both engines with `count` containers, each with a published port. */
export async function crowd(engines: readonly Engine[], count: number): Promise<SimulatedMembers> {
  const before = memoryOf(engines);
  const all = await inTimeSlices(engines, count, (engine, round) =>
    timed(() => docker(engine, 'run', '-d', '--name', `crowd${round}`, '-p', `${10000 + round}:80`, image, ...sleeper)),
  );
  const after = memoryOf(engines);
  const part = Math.max(1, Math.floor(count / 10));
  const pick = (from: number, to: number): PerEngine => ({
    netyard: all.netyard.slice(from, to),
    dockerd: all.dockerd.slice(from, to),
  });
  const memory = (name: Engine['name']): number => (after[name] - before[name]) / count;
  return {
    first: pick(0, part),
    last: pick(count - part, count),
    memory: { netyard: memory('netyard'), dockerd: memory('dockerd') },
    async remove() {
      const names = Array.from({ length: count }, (_, round) => `crowd${round}`);
      for (const engine of engines) await docker(engine, 'rm', '-f', ...names);
    },
  };
}

function memoryOf(engines: readonly Engine[]): Record<Engine['name'], number> {
  const sizes = { netyard: 0, dockerd: 0 };
  for (const engine of engines) sizes[engine.name] = engineMemory(engine);
  return sizes;
}
