/** Compares `docker inspect` of 50 containers and 100 MB of input of `docker exec -i`, with the same CLI on each daemon. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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

const lab = 'bench-requests';
const names = Array.from({ length: 50 }, (_, index) => `idle${index}`);
const inputBytes = 100e6;

async function measure(daemons: readonly Daemon[], rounds: number, input: string): Promise<Row[]> {
  const rows: Row[] = [];
  const target = daemons.slice(1).map(({ title }) => ({ ratio: 1, to: title }));
  const row = async (name: string, line: string): Promise<void> => {
    say(`${name} …`);
    const cells = await inTurns(daemons, rounds, ({ engine }) => timed(() => shell(engine, line)));
    rows.push({ name, unit: 'ms', cells, target });
  };
  await row(`\`inspect\` of ${names.length} containers`, `docker inspect ${names.join(' ')} > /dev/null`);
  await row('`exec -i`, 100 MB of input', `docker exec -i ${names[0]} sh -c 'cat > /dev/null' < ${input}`);
  return rows;
}

async function run(archive: string, rounds: number, folder: string): Promise<Table> {
  const input = join(folder, 'input');
  writeFileSync(input, Buffer.alloc(inputBytes, 'input '));
  const daemons = daemonsOf(lab);
  const rows = await withDaemons(daemons, async () => {
    say(`${names.length} containers …`);
    for (const { engine } of daemons) {
      await docker(engine, 'load', '-q', '-i', archive);
      for (const name of names) await docker(engine, 'run', '-d', '--name', name, image, 'sleep', '1000000');
    }
    return await measure(daemons, rounds, input);
  });
  const facts = [`Medians of ${rounds} rounds (10th–90th percentile). ${machineFact()}`];
  return { part: 'requests', rows, columns: daemons.map(({ title }) => title), facts };
}

/** @returns the part's table */
export async function requests(options: { rounds: number; archive: string }): Promise<Table> {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-bench-'));
  try {
    return await inLab(labOf(lab), () => run(options.archive, options.rounds, folder));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
