/** CPU time of programs that are no part of the benchmark: what they delay is not the engine's latency. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { hostLayout } from '@netyard/lab';
import type { Engine } from '../engine.ts';

/** USER_HZ, the same on every architecture that Netyard runs on; see proc(5). */
const ticksPerSecond = 100;
/** `flags` of a kernel thread in /proc/PID/stat, include/linux/sched.h. */
const PF_KTHREAD = 0x0020_0000;

/** Seconds: by the clock, of idle CPUs since boot, and of the benchmark's CPU time. */
export interface CpuTimes {
  at: number;
  idle: number;
  own: number;
}

/** What is no part of the benchmark: CPU seconds per second. Pure. */
export function foreignShare(before: CpuTimes, after: CpuTimes, cpus: number): number {
  const seconds = after.at - before.at;
  const busy = cpus * seconds - (after.idle - before.idle);
  return Math.max(0, busy - (after.own - before.own)) / seconds;
}

/** Fields of /proc/PID/stat from the third on: the second may contain spaces. */
export const parseStat = (text: string): string[] => text.slice(text.lastIndexOf(')') + 2).split(' ');

/** Its own time and that of its ended children, in seconds, if the process is the benchmark's or the kernel's. Pure. */
export function ownTime(fields: readonly string[], processGroup: string): number {
  const isKernel = (Number(fields[6]) & PF_KTHREAD) !== 0;
  if (fields[2] !== processGroup && !isKernel) return 0;
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / ticksPerSecond;
}

/** Measures what programs outside of the benchmark and of the engines' hosts take of the CPUs. */
export class Disturbance {
  readonly #usageFiles: readonly string[];
  #last: CpuTimes;

  constructor(engines: readonly Engine[]) {
    this.#usageFiles = engines.map(usageFile);
    this.#last = this.#read();
  }

  /** CPU seconds per second since the last call. */
  take(): number {
    const last = this.#last;
    this.#last = this.#read();
    return foreignShare(last, this.#last, availableParallelism());
  }

  #read(): CpuTimes {
    const [, , , , idle = 0, iowait = 0] =
      readFileSync('/proc/stat', 'utf8').split('\n')[0]?.split(/ +/).map(Number) ?? [];
    const hosts = this.#usageFiles.reduce((sum, file) => sum + readUsage(file), 0);
    return { at: performance.now() / 1000, idle: (idle + iowait) / ticksPerSecond, own: hosts + processTimes() };
  }
}

/** Of the cgroup of a lab host, which contains its containers: cgroup v1 or v2. */
function usageFile({ handle }: Engine): string {
  const { cgroup } = hostLayout(handle.lab, handle.host);
  const version1 = `/sys/fs/cgroup/cpuacct/${cgroup}/cpuacct.usage`;
  return existsSync(version1) ? version1 : `/sys/fs/cgroup/${cgroup}/cpu.stat`;
}

/** CPU seconds of a cgroup. */
function readUsage(file: string): number {
  const text = readFileSync(file, 'utf8');
  const micro = /^usage_usec (\d+)$/m.exec(text)?.[1];
  return micro === undefined ? Number(text) / 1e9 : Number(micro) / 1e6;
}

/** CPU seconds of the processes of this process's group and of the kernel's threads. */
function processTimes(): number {
  const [, , processGroup = ''] = parseStat(readFileSync('/proc/self/stat', 'utf8'));
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .reduce((sum, pid) => sum + processTime(pid, processGroup), 0);
}

function processTime(pid: string, processGroup: string): number {
  try {
    return ownTime(parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8')), processGroup);
  } catch {
    return 0; // it ended meanwhile
  }
}
