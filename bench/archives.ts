/** Compares cp, export, save and load with dockerd's, for a large file and for many small ones. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { docker, type Engine, engineLab, openEngines } from './engine.ts';
import { inLab, say } from './in-lab.ts';
import { type Comparison, formatComparison, formatTable, timed } from './measure.ts';
import { alternate, image, type PerEngine } from './scenarios.ts';

const run = promisify(execFile);
const lab = 'bench-archives';

const content = `mkdir /many; head -c 300000000 /dev/urandom > /large
  i=0; while [ $i -lt 200 ]; do mkdir /many/$i; cp /etc/passwd /many/$i/0
  j=1; while [ $j -lt 50 ]; do echo $i.$j > /many/$i/$j; j=$((j+1)); done; i=$((i+1)); done`;

/** Runs a shell command in which `docker` uses this engine. */
async function shell(engine: Engine, line: string): Promise<void> {
  const env = { ...process.env, DOCKER_HOST: `unix://${engine.socket}` };
  await run('bash', ['-o', 'pipefail', '-c', line], { env });
}

async function createFiles(engine: Engine, folder: string): Promise<void> {
  await docker(engine, 'run', '--name', 'source', image, 'sh', '-c', content);
  await shell(engine, `docker export source | docker import - files:1`);
  await docker(engine, 'create', '--name', 'target', image, 'true');
  const files = join(folder, engine.name);
  await shell(engine, `docker cp source:/large - > ${files}-large.tar; docker cp source:/many - > ${files}-many.tar`);
  await shell(engine, `docker save files:1 > ${files}-saved.tar`);
}

async function measure(engines: readonly Engine[], rounds: number, folder: string): Promise<Comparison[]> {
  const rows: Comparison[] = [];
  const row = async (name: string, line: (files: string) => string, before?: string): Promise<void> => {
    say(`${name} …`);
    const once = async (engine: Engine): Promise<number> => {
      if (before !== undefined) await shell(engine, before);
      return await timed(() => shell(engine, line(join(folder, engine.name))));
    };
    const samples: PerEngine = await alternate(engines, rounds, once, 1);
    const names = { oursName: '', theirsName: 'dockerd', unit: 'ms', target: undefined };
    rows.push({ name, ours: samples.netyard, theirs: samples.dockerd, ...names });
  };
  await row('cp out, 300 MB', () => 'docker cp source:/large - > /dev/null');
  await row('cp out, 10,000 files', () => 'docker cp source:/many - > /dev/null');
  await row('cp in, 300 MB', (files) => `docker cp - target:/ < ${files}-large.tar`);
  await row('cp in, 10,000 files', (files) => `docker cp - target:/ < ${files}-many.tar`);
  await row('export', () => 'docker export source > /dev/null');
  await row('save', () => 'docker save files:1 > /dev/null');
  await row('load', (files) => `docker load -q -i ${files}-saved.tar`, 'docker rmi files:1');
  return rows;
}

/** Measures and prints the table. */
export async function archives(options: { rounds: number; archive: string }): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-bench-'));
  try {
    const rows = await inLab(engineLab(lab), async () => {
      const engines = await openEngines(lab, options.archive);
      for (const engine of engines) await createFiles(engine, folder);
      return await measure(engines, options.rounds, folder);
    });
    console.log('Archives: medians (90th percentile in brackets); ratio = netyard / compared.\n');
    console.log(formatTable(rows.map(formatComparison)));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
