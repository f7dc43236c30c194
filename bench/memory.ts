/**
 * Compares the memory of the daemons with 200 containers of which 51 run: after their start and some work, once they have
 * had nothing to do for a while; and that of containerd and the shims beside them.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { type Daemon, daemonsOf, end, labOf, type Running, start, withDaemons } from './daemons.ts';
import { api, docker, type Engine } from './engine.ts';
import { inLab, say } from './in-lab.ts';
import { machineFact } from './machine.ts';
import { image } from './scenarios.ts';
import type { Row, Table, Target } from './table.ts';

const lab = 'bench-memory';
const [all, running] = [200, 51];
const work = { runs: 20, lists: 5, inspects: 50 };
/** V8 and Go return memory some seconds after the last request. */
const settleMs = 15_000;

/** Of one process, in KiB: smaps_rollup, proc(5). */
interface Sizes {
  Rss: number;
  Pss: number;
  Pss_Anon: number;
}

interface ProcessMemory extends Sizes {
  isDaemon: boolean;
}

function readProcess(pid: string, pidNamespace: string): ProcessMemory[] {
  try {
    if (readlinkSync(`/proc/${pid}/ns/pid`) !== pidNamespace) return [];
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    const [program = ''] = command;
    // What holds the lab's host.
    if (/(^|\/)(tini|sleep)$/.test(program)) return [];
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    const size = (name: keyof Sizes): number => Number(new RegExp(`^${name}: +(\\d+) kB`, 'm').exec(text)?.[1] ?? 0);
    const isDaemon =
      /(^|\/)dockerd$/.test(program) || command.some((argument) => /\/(daemon-main\.ts|daemon\.cjs)$/.test(argument));
    return [{ isDaemon, Rss: size('Rss'), Pss: size('Pss'), Pss_Anon: size('Pss_Anon') }];
  } catch {
    return []; // the process ended meanwhile
  }
}

/** The engine's processes, without those in containers, which have pid namespaces of their own. */
function readProcesses({ handle }: Engine): ProcessMemory[] {
  const own = readlinkSync(`/proc/${handle.init.pid}/ns/pid`);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => readProcess(pid, own));
}

/** What a row measures, in MiB. */
const figures = {
  busy: 'daemon, right after the work',
  resident: 'daemon, after 15 s of rest',
  anonymous: 'of which anonymous',
  others: `containerd and the shims of ${running} containers`,
  together: 'daemon, containerd and shims',
} as const;

type Figure = keyof typeof figures;

function measureProcesses(engine: Engine): Record<'resident' | 'anonymous' | 'others', number> {
  const processes = readProcesses(engine);
  const sum = (isDaemon: boolean, size: keyof Sizes): number =>
    processes.filter((one) => one.isDaemon === isDaemon).reduce((total, one) => total + one[size], 0) / 1024;
  return { resident: sum(true, 'Rss'), anonymous: sum(true, 'Pss_Anon'), others: sum(false, 'Pss') };
}

async function createContainers({ engine }: Daemon): Promise<void> {
  for (let index = 0; index < all; index += 1) {
    const action = index < running ? ['run', '-d'] : ['create'];
    await docker(engine, ...action, image, 'sleep', '1000000');
  }
}

/** What a daemon does between two rests. */
async function doWork({ engine }: Daemon): Promise<void> {
  for (let count = 0; count < work.runs; count += 1) await docker(engine, 'run', '--rm', image, 'true');
  for (let count = 0; count < work.lists; count += 1) await api(engine, 'GET', '/containers/json?all=1');
  const ids = (await docker(engine, 'ps', '-aq', '--no-trunc')).split('\n').slice(0, work.inspects);
  for (const id of ids) await api(engine, 'GET', `/containers/${id}/json`);
}

/** One round: the daemons start and work one after the other, the first one being another one each time, and rest together. */
async function measureRound(
  daemons: readonly Daemon[],
  add: (figure: Figure, title: string, value: number) => void,
): Promise<void> {
  const started: Running[] = [];
  try {
    for (const daemon of daemons) {
      started.push(await start(daemon));
      await doWork(daemon);
      add('busy', daemon.title, measureProcesses(daemon.engine).resident);
    }
    await pause(settleMs);
    for (const { engine, title } of daemons) {
      const { resident, anonymous, others } = measureProcesses(engine);
      add('resident', title, resident);
      add('anonymous', title, anonymous);
      add('others', title, others);
      add('together', title, resident + others);
    }
  } finally {
    for (const one of started) await end(one);
  }
}

async function measure(archive: string, rounds: number): Promise<Table> {
  const daemons = daemonsOf(lab);
  say(`${all} containers …`);
  await withDaemons(daemons, async () => {
    for (const daemon of daemons) {
      await docker(daemon.engine, 'load', '-q', '-i', archive);
      await createContainers(daemon);
    }
  });
  const samples = new Map<string, Record<string, number[]>>();
  for (let round = 0; round < rounds; round += 1) {
    say(`round ${round + 1} of ${rounds} …`);
    const first = round % daemons.length;
    await measureRound([...daemons.slice(first), ...daemons.slice(0, first)], (figure, title, value) => {
      const cells = samples.get(figure) ?? {};
      samples.set(figure, { ...cells, [title]: [...(cells[title] ?? []), value] });
    });
  }
  const columns = daemons.map(({ title }) => title);
  const target: Target[] = columns.slice(1).map((to) => ({ ratio: 1, to }));
  const rows: Row[] = Object.entries(figures).map(([figure, name]) => ({
    ...{ name, unit: 'MiB', cells: samples.get(figure) ?? {} },
    ...(figure === 'anonymous' ? {} : { target }),
  }));
  const done = `${work.runs} \`run --rm\`, ${work.lists} lists of all and ${work.inspects} \`inspect\``;
  const facts = [
    `The daemon: resident set size (\`Rss\`). The others: proportional set sizes (\`Pss\`), as they share pages. The work: ${done}.`,
    `Medians of ${rounds} rounds (10th–90th percentile). ${machineFact()}`,
  ];
  return { part: 'memory', rows, columns, facts };
}

export const memory = (options: { rounds: number; archive: string }): Promise<Table> =>
  inLab(labOf(lab), () => measure(options.archive, options.rounds));
