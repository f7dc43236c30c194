/** The measured scenarios. Each function deletes what it created, except for `fillHost`. */
import { api, docker, type Engine, engineMemory } from './engine.ts';
import { type Samples, timed } from './measure.ts';

export const image = 'netyard-test:latest';
const sleeper = ['sleep', '1000000'];

export type PerEngine = Record<Engine['name'], Samples>;

/** Rounds that are not measured: caches fill and hot code is compiled on both sides. */
const warmUpRounds = 25;
/** The same for operations of a single scenario. */
const uncountedRounds = 5;

/** Alternates between both engines, so that other load of the machine affects both alike. */
export async function alternate(
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
 * Measures the first `docker run -d` of each daemon, then repeats run and rm, with and without a published port, until
 * later figures are steady.
 */
export async function warmUp(engines: readonly Engine[]): Promise<PerEngine> {
  const first = await alternate(engines, 1, async (engine) => {
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

/** Measures `docker run -d` and `docker rm -f`, including the CLI's own time. */
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
  const run = await alternate(engines, rounds, once, uncountedRounds);
  return { run, remove };
}

/** Measures connecting a running container to `bridge` through the API, with or without a published port. */
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
  const samples = await alternate(engines, rounds, once, uncountedRounds);
  for (const engine of engines) await docker(engine, 'rm', '-f', ids.get(engine) ?? '');
  return samples;
}

export interface FullHost {
  /** `docker run -d -p` of the first and of the last tenth. */
  first: PerEngine;
  last: PerEngine;
  /** MiB per container. */
  memory: Record<Engine['name'], number>;
  remove(): Promise<void>;
}

/** Fills both engines with `count` containers, each with a published port. */
export async function fillHost(engines: readonly Engine[], count: number): Promise<FullHost> {
  const before = memoryOf(engines);
  const all = await alternate(engines, count, (engine, round) =>
    timed(() =>
      docker(engine, 'run', '-d', '--name', `filler${round}`, '-p', `${10000 + round}:80`, image, ...sleeper),
    ),
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
      const names = Array.from({ length: count }, (_, round) => `filler${round}`);
      for (const engine of engines) await docker(engine, 'rm', '-f', ...names);
    },
  };
}

function memoryOf(engines: readonly Engine[]): Record<Engine['name'], number> {
  const sizes = { netyard: 0, dockerd: 0 };
  for (const engine of engines) sizes[engine.name] = engineMemory(engine);
  return sizes;
}
