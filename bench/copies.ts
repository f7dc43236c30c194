/** Compares `docker cp` and `docker export` with those of the dockerds, for a large file and for many small ones. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Daemon, daemonsOf, labOf, withDaemons } from './daemons.ts';
import { docker, shell } from './engine.ts';
import { inLab, say } from './in-lab.ts';
import { machineFact } from './machine.ts';
import { timed } from './measure.ts';
import { image } from './scenarios.ts';
import type { Row, Table } from './table.ts';
import { inTurns } from './turns.ts';

const lab = 'bench-copies';

const content = `mkdir /many; head -c 300000000 /dev/urandom > /large
  i=0; while [ $i -lt 200 ]; do mkdir /many/$i; cp /etc/passwd /many/$i/0
  j=1; while [ $j -lt 50 ]; do echo $i.$j > /many/$i/$j; j=$((j+1)); done; i=$((i+1)); done`;

/** A container with files, and archives of them: the first daemon's, which all daemons unpack. */
async function createFiles(daemons: readonly Daemon[], archive: string, folder: string): Promise<void> {
  for (const daemon of daemons) {
    await docker(daemon.engine, 'load', '-q', '-i', archive);
    await docker(daemon.engine, 'run', '--name', 'source', image, 'sh', '-c', content);
  }
  const [first] = daemons;
  if (first)
    await shell(
      first.engine,
      `cd ${folder}; docker cp source:/large - > large.tar; docker cp source:/many - > many.tar`,
    );
}

async function measure(daemons: readonly Daemon[], rounds: number, folder: string): Promise<Row[]> {
  const rows: Row[] = [];
  const target = daemons.slice(1).map(({ title }) => ({ ratio: 1, to: title }));
  /** Each command begins with a disk that has nothing left to write. */
  const row = async (name: string, line: string, before = 'true'): Promise<void> => {
    say(`${name} …`);
    const cells = await inTurns(daemons, rounds, async ({ engine }) => {
      await shell(engine, `${before}; sync`);
      return await timed(() => shell(engine, line));
    });
    rows.push({ name, unit: 'ms', cells, target });
  };
  await row('`cp` out, 300 MB', 'docker cp source:/large - > /dev/null');
  await row('`cp` out, 10,000 files', 'docker cp source:/many - > /dev/null');
  await row('`export`, 300 MB and 10,000 files', 'docker export source > /dev/null');
  const create = `docker create --name target ${image} true`;
  const old = 'docker rm target > /dev/null 2>&1';
  await row('`cp` in, 300 MB', `docker cp - target:/ < ${folder}/large.tar`, `${old}; ${create}`);
  // Containers with many files stay: ext4 searches long for a free inode when many were deleted in the last minutes
  // (recently_deleted in fs/ext4/ialloc.c).
  const rename = 'docker rename target old-$RANDOM$RANDOM';
  await row('`cp` in, 10,000 files', `docker cp - target:/ < ${folder}/many.tar`, `${rename}; ${create}`);
  return rows;
}

/** @returns the part's table */
export async function copies(options: { rounds: number; archive: string }): Promise<Table> {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-bench-'));
  try {
    return await inLab(labOf(lab), async () => {
      const daemons = daemonsOf(lab);
      const rows = await withDaemons(daemons, async () => {
        await createFiles(daemons, options.archive, folder);
        return await measure(daemons, options.rounds, folder);
      });
      const facts = [`Medians of ${options.rounds} rounds (10th–90th percentile). ${machineFact()}`];
      return { part: 'copies', rows, columns: daemons.map(({ title }) => title), facts };
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
