/**
 * Compares the time and memory of `netyard ps` and `netyard run --rm` with those of the docker CLI, on Netyard's daemon and
 * on dockerd, and how soon the daemons answer after their start.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Daemon, daemonsOf, end, labOf, start, withDaemons } from '../daemons.ts';
import { docker, type Engine } from '../engine.ts';
import { inLab, say } from '../in-lab.ts';
import { machineFact } from '../machine.ts';
import { type Samples, timed } from '../measure.ts';
import { image } from '../scenarios.ts';
import type { Row, Table } from '../table.ts';
import { inTurns } from '../turns.ts';

const lab = 'bench-commands';
const netyard = join(import.meta.dirname, '../../bin/netyard');
const [own, sameDaemon] = ['Netyard', 'docker on Netyard'];
const [listed, running] = [10, 50];

/** One command line, in one column of the table. */
interface Candidate {
  title: string;
  command: readonly string[];
  engine: Engine;
}

const environment = ({ socket }: Engine): NodeJS.ProcessEnv => ({
  ...process.env,
  DOCKER_HOST: `unix://${socket}`,
  NETYARD_HOST: `unix://${socket}`,
});

async function run({ command: [program = '', ...args], engine }: Candidate): Promise<void> {
  const child = spawn(program, args, { env: environment(engine), stdio: ['ignore', 'ignore', 'inherit'] });
  const [status] = await once(child, 'exit');
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: status ${status}`);
}

/** Prints ru_maxrss of the ended children (getrusage(2), RUSAGE_CHILDREN). */
const measureMemory = `system { $ARGV[0] } @ARGV; my $usage = "\\0" x 144;
  syscall($^O eq "linux" && \`uname -m\` =~ /aarch64/ ? 165 : 98, -1, $usage); print STDERR unpack("x32 q", $usage)`;

/** Largest resident memory of a command, in MiB. */
async function peakMemory({ command, engine }: Candidate): Promise<number> {
  const options = { env: environment(engine) };
  const { stderr } = await promisify(execFile)('perl', ['-e', measureMemory, ...command], options);
  return Number(stderr) / 1024;
}

/** Netyard's command, and docker's on the same daemon and on the others. */
const candidates = ([first, ...others]: readonly Daemon[], ...args: string[]): Candidate[] => {
  if (first === undefined) throw new Error('no daemon');
  return [
    { title: own, command: [netyard, ...args], engine: first.engine },
    { title: sameDaemon, command: ['docker', ...args], engine: first.engine },
    ...others.map(({ title, engine }) => ({ title, command: ['docker', ...args], engine })),
  ];
};

async function measureCommands(daemons: readonly Daemon[], rounds: number): Promise<Row[]> {
  say('ps …');
  const ps = candidates(daemons, 'ps');
  const floor = ps.slice(0, 1).map((candidate) => ({ ...candidate, command: [process.execPath, '-e', '0'] }));
  const list = { name: `\`ps\` of ${listed} containers`, target: { ratio: 1.3, to: sameDaemon } };
  const rows: Row[] = [
    { ...list, unit: 'ms', cells: await inTurns(ps, rounds, (one) => timed(() => run(one))) },
    { name: `\`ps\`, peak memory`, unit: 'MiB', cells: await inTurns(ps, rounds, peakMemory), target: list.target },
    { name: '`node -e 0`', unit: 'ms', cells: await inTurns(floor, rounds, (one) => timed(() => run(one))) },
    { name: '`node -e 0`, peak memory', unit: 'MiB', cells: await inTurns(floor, rounds, peakMemory) },
  ];
  say('run --rm …');
  const line = candidates(daemons, 'run', '--rm', image, 'true');
  const samples = await inTurns(line, rounds, (one) => timed(() => run(one)));
  rows.push({ name: '`run --rm IMAGE true`', unit: 'ms', cells: samples, target: { ratio: 1.1, to: sameDaemon } });
  return rows;
}

/** Starts of daemons that are not running. */
const measureStarts = (daemons: readonly Daemon[], rounds: number): Promise<Record<string, Samples>> =>
  inTurns(daemons, rounds, async (daemon) => {
    const started = await start(daemon);
    await end(started);
    return started.ready;
  });

async function runContainers(daemons: readonly Daemon[], count: number): Promise<void> {
  for (const { engine } of daemons)
    for (let index = 0; index < count; index += 1) await docker(engine, 'run', '-d', image, 'sleep', '1000000');
}

async function measure(archive: string, rounds: number): Promise<Table> {
  const daemons = daemonsOf(lab);
  say('starts of the daemons …');
  const empty = await measureStarts(daemons, rounds);
  const rows = await withDaemons(daemons, async () => {
    for (const { engine } of daemons) await docker(engine, 'load', '-q', '-i', archive);
    await runContainers(daemons, listed);
    const measured = await measureCommands(daemons, rounds);
    say(`${running} containers …`);
    await runContainers(daemons, running - listed);
    return measured;
  });
  say('starts of the daemons with containers …');
  const full = await measureStarts(daemons, rounds);
  rows.push({ name: 'daemon answers, no container', unit: 'ms', cells: empty, target: { atMost: 500 } });
  const title = `daemon answers, ${running} running containers`;
  rows.push({ name: title, unit: 'ms', cells: full, target: { atMost: 1000 } });
  return {
    ...{ part: 'commands', rows, columns: [own, sameDaemon, ...daemons.slice(1).map((daemon) => daemon.title)] },
    facts: [`Medians of ${rounds} rounds (10th–90th percentile). ${machineFact()}`],
  };
}

export const commands = (options: { rounds: number; archive: string }): Promise<Table> =>
  inLab(labOf(lab), () => measure(options.archive, options.rounds));
