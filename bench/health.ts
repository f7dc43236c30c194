/** Compares the processor time of 40 health checks a second, of all processes: daemons, containerd, shims and checks. */
import { readFileSync, statSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { type Daemon, daemonsOf, labOf, withDaemons } from './daemons.ts';
import { docker, type Engine, engineCpu } from './engine.ts';
import { inLab, say } from './in-lab.ts';
import { machineFact } from './machine.ts';
import { image } from './scenarios.ts';
import type { Row, Table, Target } from './table.ts';

const lab = 'bench-health';
/** Each checks twice a second. */
const containers = 20;
const names = Array.from({ length: containers }, (_, index) => `checked${index}`);
/** A check that can be counted afterwards. */
const options = ['--health-cmd', 'printf . >> /checks', '--health-interval', '500ms'];
const [warmUpMs, measuredMs] = [1500, 6000];

interface Sample {
  checks: number;
  /** Processor time of all processes of the host, ended ones included, in milliseconds. */
  cpu: number;
  /** Of which that of processes which go on: daemon, containerd and shims. */
  longLived: number;
}

/** The group of a lab's host contains all its processes: cgroups(7). */
function readCpu({ handle }: Engine): number {
  const groups = readFileSync(`/proc/${handle.init.pid}/cgroup`, 'utf8');
  const group = (/^\d+:(?:[^:]*,)?cpuacct(?:,[^:]*)?:(.*)\/init$/m.exec(groups) ??
    /^0::(.*)\/init$/m.exec(groups))?.[1];
  if (group === undefined) throw new Error(`${handle.host}: no cgroup with processor time`);
  try {
    return Number(readFileSync(`/sys/fs/cgroup/cpuacct${group}/cpuacct.usage`, 'utf8')) / 1e6;
  } catch {
    const text = readFileSync(`/sys/fs/cgroup${group}/cpu.stat`, 'utf8');
    return Number(/^usage_usec (\d+)/m.exec(text)?.[1]) / 1e3;
  }
}

/** From outside: a `docker exec` would be part of what is measured. */
function countChecks(pids: readonly string[]): number {
  // A container that was not checked yet has no file.
  const size = (pid: string): number => statSync(`/proc/${pid}/root/checks`, { throwIfNoEntry: false })?.size ?? 0;
  return pids.reduce((sum, pid) => sum + size(pid), 0);
}

async function pidsOf(engine: Engine): Promise<string[]> {
  const inside = (await docker(engine, 'inspect', '--format', '{{.State.Pid}}', ...names)).split('\n');
  return inside.map((pid) => `${engine.handle.init.pid}/root/proc/${pid}`);
}

const readSample = (engine: Engine, pids: readonly string[]): Sample => ({
  checks: countChecks(pids),
  cpu: readCpu(engine),
  longLived: 1000 * engineCpu(engine),
});

/** The containers run only while they are measured. */
async function measureOnce({ engine }: Daemon): Promise<Sample> {
  await docker(engine, 'start', ...names);
  try {
    const pids = await pidsOf(engine);
    await pause(warmUpMs);
    const before = readSample(engine, pids);
    await pause(measuredMs);
    const after = readSample(engine, pids);
    return {
      checks: after.checks - before.checks,
      cpu: after.cpu - before.cpu,
      longLived: after.longLived - before.longLived,
    };
  } finally {
    await docker(engine, 'kill', ...names);
  }
}

async function measure(daemons: readonly Daemon[], archive: string, rounds: number): Promise<Table> {
  for (const { engine } of daemons) {
    await docker(engine, 'load', '-q', '-i', archive);
    for (const name of names) await docker(engine, 'create', '--name', name, ...options, image, 'sleep', '1000000');
  }
  const columns = daemons.map(({ title }) => title);
  const samples = new Map<string, Sample[]>(columns.map((title) => [title, []]));
  for (let round = 0; round < rounds; round += 1) {
    say(`round ${round + 1} of ${rounds} …`);
    const first = round % daemons.length;
    for (const daemon of [...daemons.slice(first), ...daemons.slice(0, first)])
      samples.get(daemon.title)?.push(await measureOnce(daemon));
  }
  const cells = (figure: (sample: Sample) => number): Row['cells'] =>
    Object.fromEntries([...samples].map(([title, all]) => [title, all.map(figure)]));
  const target: Target[] = columns.slice(1).map((to) => ({ ratio: 1, to }));
  const rows: Row[] = [
    { name: 'processor time of a check', unit: 'ms', cells: cells(({ cpu, checks }) => cpu / checks), target },
    {
      name: 'of which daemon, containerd, shims',
      unit: 'ms',
      cells: cells((one) => one.longLived / one.checks),
      target,
    },
    { name: 'load of 40 checks a second', unit: '%', cells: cells(({ cpu, checks }) => (4 * cpu) / checks), target },
  ];
  const facts = [
    `${containers} containers with \`--health-interval 500ms\`: an interval begins when the check before has ended.`,
    `Medians of ${rounds} rounds of ${measuredMs / 1000} s (10th–90th percentile). ${machineFact()}`,
  ];
  return { part: 'health', rows, columns, facts };
}

export const health = (given: { rounds: number; archive: string }): Promise<Table> =>
  inLab(labOf(lab), () => {
    const daemons = daemonsOf(lab);
    return withDaemons(daemons, () => measure(daemons, given.archive, given.rounds));
  });
