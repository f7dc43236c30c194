/** Containers that write as fast as they can, and clients that follow them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { docker, type Engine, engineCpu } from '../engine.ts';
import { output } from '../in-lab.ts';
import { image } from '../scenarios.ts';
import type { OutputRate } from './report.ts';

/** Names on the command line and in the table. */
export const kinds = { empty: 'empty lines', short: 'short lines', blocks: '64 KiB blocks' } as const;
export type Kind = (typeof kinds)[keyof typeof kinds];

const blocks =
  'yes aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa | head -c 65536 > /b; while :; do cat $(yes /b | head -n 500); done';
const commands: Record<Kind, readonly string[]> = {
  'empty lines': ['yes', ''],
  'short lines': ['yes', 'aaaa'],
  '64 KiB blocks': ['sh', '-c', blocks],
};
/** Bytes written (proc(5)) by each process and by its children, which the process's own counter includes when they end. */
const countWritten =
  'for pid; do for one in $pid $(cat /proc/$pid/task/$pid/children); do grep -h ^wchar /proc/$one/io; done; done 2>/dev/null; true';
/** Limits the disk space of logs. */
const rotation = ['--log-opt', 'max-size=10m', '--log-opt', 'max-file=2'];

export interface Noise {
  /** Measures the containers' output during some work. */
  during(work: () => Promise<void>): Promise<OutputRate>;
  end(): Promise<void>;
}

export async function makeNoise(engine: Engine, kind: Kind, count: number, followers: number): Promise<Noise> {
  const ids: string[] = [];
  for (let index = 0; index < count; index += 1)
    ids.push(await docker(engine, 'run', '-d', ...rotation, image, ...commands[kind]));
  const following = await startFollowers(engine, ids, followers);
  const state = await docker(engine, 'inspect', '-f', '{{.State.Pid}}', ...ids);
  const written = async (): Promise<number> => {
    const counters = await output(engine.handle, ['sh', '-c', countWritten, 'sh', ...state.split('\n')]);
    return counters.split('\n').reduce((sum, line) => sum + Number(line.split(' ')[1] ?? 0), 0);
  };
  return {
    async during(work) {
      const bytesBefore = await written();
      const cpuBefore = engineCpu(engine);
      const started = performance.now();
      await work();
      const seconds = (performance.now() - started) / 1000;
      const cpu = engineCpu(engine) - cpuBefore;
      const megabytes = ((await written()) - bytesBefore) / 1e6;
      return { megabytesPerSecond: megabytes / seconds, cpuPerGigabyte: (cpu / megabytes) * 1000 };
    },
    async end() {
      following.kill('SIGKILL');
      await docker(engine, 'rm', '-f', ...ids);
    },
  };
}

async function startFollowers(engine: Engine, ids: readonly string[], count: number): Promise<ChildProcess> {
  const followed = Array.from({ length: count }, (_, index) => ids[index % ids.length] ?? '');
  const script = join(import.meta.dirname, 'followers.ts');
  const child = spawn(process.execPath, [script, engine.socket, ...followed], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve, reject) => {
    child.stdout.once('data', resolve);
    child.once('exit', () => reject(new Error(`${engine.name}: following logs failed`)));
  });
  child.removeAllListeners('exit');
  return child;
}
