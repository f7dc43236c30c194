/**
 * Compares `docker load`, `save`, `push` and `pull` with those of the dockerds, and the disk that a loaded image takes. All
 * use the same docker CLI, and the same registry in a further host of the lab.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { hostLayout } from '@netyard/lab';
import { type Daemon, daemonsOf, labOf, withDaemons } from '../daemons.ts';
import { docker, shell } from '../engine.ts';
import { inLab, say } from '../in-lab.ts';
import { machineFact } from '../machine.ts';
import { timed } from '../measure.ts';
import type { Row, Table, Target } from '../table.ts';
import { inTurns } from '../turns.ts';
import { writeImageArchive } from './archive.ts';
import { type BenchRegistry, startRegistry } from './registry.ts';

const run = promisify(execFile);
const lab = 'bench-images';
const registryAddress = '172.30.0.4';
const [small, large] = [24, 600];
const localName = (megabytes: number): string => `bench-${megabytes}:1`;

interface Setting {
  daemons: readonly Daemon[];
  rounds: number;
  /** Of the image archives. */
  folder: string;
  registry: BenchRegistry;
}

/** Measures one command with a disk that has nothing left to write; what precedes it is not measured. */
const measured = (
  { daemons, rounds }: Setting,
  before: (daemon: Daemon) => Promise<unknown>,
  work: (daemon: Daemon) => Promise<unknown>,
): Promise<Row['cells']> =>
  inTurns(daemons, rounds, async (daemon) => {
    await before(daemon);
    await run('sync');
    return await timed(() => work(daemon));
  });

/** The same images under other names keep layers, so all go. */
async function removeImages({ engine }: Daemon): Promise<void> {
  const ids = await docker(engine, 'images', '-aq');
  if (ids !== '') await docker(engine, 'rmi', '-f', ...new Set(ids.split('\n')));
}

const fileOf = (folder: string, megabytes: number): string => join(folder, `${megabytes}.tar`);

async function load({ engine }: Daemon, folder: string, megabytes: number): Promise<void> {
  await docker(engine, 'load', '-q', '-i', fileOf(folder, megabytes));
}

/** Bytes on the disk below the data root. */
async function diskOf({ engine: { handle } }: Daemon): Promise<number> {
  await run('sync');
  const { stdout } = await run('du', ['-s', '--block-size=1', hostLayout(handle.lab, handle.host).data]);
  return Number.parseInt(stdout, 10);
}

async function diskAfterLoad({ daemons, folder }: Setting): Promise<Row['cells']> {
  const cells: Record<string, number[]> = {};
  for (const daemon of daemons) {
    await removeImages(daemon);
    const before = await diskOf(daemon);
    await load(daemon, folder, large);
    cells[daemon.title] = [((await diskOf(daemon)) - before) / 1e6];
  }
  return cells;
}

const measureLoad = (setting: Setting, megabytes: number): Promise<Row['cells']> =>
  measured(setting, removeImages, (daemon) => load(daemon, setting.folder, megabytes));

async function push({ engine }: Daemon, { address }: BenchRegistry): Promise<void> {
  await docker(engine, 'push', '-q', `${address}/${localName(large)}`);
}

async function measurePush(setting: Setting): Promise<Row['cells']> {
  const { daemons, registry } = setting;
  for (const { engine } of daemons)
    await docker(engine, 'tag', localName(large), `${registry.address}/${localName(large)}`);
  return await measured(
    setting,
    async () => registry.clear(),
    (daemon) => push(daemon, registry),
  );
}

/** Every engine pulls the layers that one dockerd compressed. */
async function measurePull(setting: Setting): Promise<Row['cells']> {
  const { daemons, registry } = setting;
  const [, dockerd] = daemons;
  registry.clear();
  if (dockerd) await push(dockerd, registry);
  return await measured(setting, removeImages, ({ engine }) =>
    docker(engine, 'pull', '-q', `${registry.address}/${localName(large)}`),
  );
}

async function measure(setting: Setting): Promise<Row[]> {
  const [, older, newer] = setting.daemons.map(({ title }) => title);
  const within = (ofOlder: number, ofNewer: number): Target[] => [
    ...(older === undefined ? [] : [{ ratio: ofOlder, to: older }]),
    ...(newer === undefined ? [] : [{ ratio: ofNewer, to: newer }]),
  ];
  const rows: Row[] = [];
  const row = async (name: string, cells: Promise<Row['cells']>, target: Row['target'], unit = 'ms'): Promise<void> => {
    say(`${name} …`);
    rows.push({ name, unit, cells: await cells, ...(target === undefined ? {} : { target }) });
  };
  await row(`\`load\`, ${small} MB`, measureLoad(setting, small), within(1, 1));
  await row(`\`load\`, ${large} MB`, measureLoad(setting, large), within(1, 1));
  await row(`disk after \`load\`, ${large} MB`, diskAfterLoad(setting), { atMost: large * 1.1 }, 'MB');
  const save = measured(
    setting,
    async () => undefined,
    ({ engine }) => shell(engine, `docker save ${localName(large)} > /dev/null`),
  );
  await row(`\`save\`, ${large} MB`, save, within(1, 1));
  await row(`\`push\`, ${large} MB`, measurePush(setting), within(1, 1.1));
  await row(`\`pull\`, ${large} MB`, measurePull(setting), within(1, 1.1));
  return rows;
}

/** @returns the part's table */
export async function images(options: { rounds: number }): Promise<Table> {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-bench-'));
  try {
    for (const megabytes of [small, large])
      writeImageArchive(fileOf(folder, megabytes), localName(megabytes), megabytes * 1e6);
    return await inLab(labOf(lab, 'registry'), async () => {
      const daemons = daemonsOf(lab);
      const registry = await startRegistry(`${lab}/registry`, registryAddress, folder);
      try {
        const rows = await withDaemons(daemons, () => measure({ daemons, rounds: options.rounds, folder, registry }));
        const facts = [`Medians of ${options.rounds} rounds (10th–90th percentile). ${machineFact()}`];
        return { part: 'images', rows, columns: daemons.map(({ title }) => title), facts };
      } finally {
        await registry.close();
      }
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
