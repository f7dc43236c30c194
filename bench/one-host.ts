/**
 * What Netyard does on one host beside Debian's dockerd, as ratios of medians; and one endpoint's kernel work beside
 * plain system calls. Each engine has a lab host of its own.
 */

import { join } from 'node:path';
import { execInHost } from '@netyard/lab';
import { docker, type Engine, engineIn, startDockerd } from './engine.ts';
import { inLab, say } from './in-lab.ts';
import { type Comparison, formatComparison, formatTable, type Samples } from './measure.ts';
import { connect, crowd, type PerEngine, runAndRemove, warmUp } from './scenarios.ts';

const lab = 'bench';
const definition = `
name: ${lab}
switch: 172.30.0.0/16
hosts:
  netyard: { address: 172.30.0.1/16 }
  dockerd: { address: 172.30.0.2/16, daemon: false }
`;

const beside = (name: string, samples: PerEngine, wanted?: number): Comparison => ({
  name,
  ours: samples.netyard,
  theirs: samples.dockerd,
  oursName: '',
  theirsName: 'dockerd',
  unit: 'ms',
  wanted,
});

/** One endpoint's kernel work, measured inside a host: see packages/kernel/bench/attach-floor.ts. */
async function attachFloor(engine: Engine): Promise<Comparison> {
  const script = join(import.meta.dirname, '../packages/kernel/bench/attach-floor.ts');
  const child = execInHost(engine.handle, [process.execPath, script, '60'], {
    environment: process.env,
    folder: '/',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  for await (const data of child.stdout ?? []) said += String(data);
  const times = JSON.parse(said) as { floor: Samples; apply: Samples };
  return {
    ...{ name: 'attach in the kernel', ours: times.apply, theirs: times.floor, oursName: '' },
    ...{ theirsName: 'plain calls', unit: 'ms', wanted: 1.5 },
  };
}

async function loadImage(engines: readonly Engine[], archive: string): Promise<void> {
  for (const engine of engines) await docker(engine, 'load', '-q', '-i', archive);
}

async function measure(engines: readonly Engine[], rounds: number, size: number): Promise<Comparison[]> {
  const [netyard] = engines;
  if (!netyard) throw new Error('no engine');
  say('attach beside plain system calls …');
  const rows = [await attachFloor(netyard)];
  say('the first container, then rounds to warm up …');
  rows.push(beside('docker run -d, the first ever', await warmUp(engines)));
  say('docker run -d, rm -f …');
  const plain = await runAndRemove(engines, rounds, []);
  rows.push(beside('docker run -d', plain.run, 1 / 3), beside('docker rm -f', plain.remove, 1 / 3));
  say('the same with -p …');
  const published = await runAndRemove(engines, rounds, ['-p', '9000:80']);
  rows.push(
    beside('docker run -d -p', published.run, 1 / 3),
    beside('docker rm -f, published', published.remove, 1 / 3),
  );
  say('network connect through the API …');
  rows.push(beside('network connect', await connect(engines, rounds, []), 5 / 45));
  rows.push(beside('connect and publish', await connect(engines, rounds, ['-p', '9000:80'])));
  say(`a crowd of ${size} …`);
  const many = await crowd(engines, size);
  rows.push(beside(`docker run -d -p, of ${size} the first`, many.first));
  rows.push(beside(`docker run -d -p, of ${size} the last`, many.last));
  const flat = { oursName: 'last', theirsName: 'first', unit: 'ms' };
  rows.push({ name: 'last beside first', ours: many.last.netyard, theirs: many.first.netyard, ...flat, wanted: 1.1 });
  rows.push({
    name: 'last beside first, dockerd',
    ours: many.last.dockerd,
    theirs: many.first.dockerd,
    ...flat,
    wanted: undefined,
  });
  rows.push(beside(`network connect, beside ${size} others`, await connect(engines, rounds, [])));
  rows.push(beside(`connect and publish, beside ${size} others`, await connect(engines, rounds, ['-p', '9000:80'])));
  rows.push({
    ...beside('memory per container', { netyard: [many.memory.netyard], dockerd: [many.memory.dockerd] }, 0.5),
    unit: 'MiB',
  });
  await many.remove();
  return rows;
}

export interface OneHostOptions {
  rounds: number;
  /** Containers at once. */
  crowd: number;
  /** The test image's archive. */
  archive: string;
}

/** Prints its table. */
export async function oneHost(options: OneHostOptions): Promise<void> {
  const rows = await inLab(definition, async () => {
    const engines = [engineIn(lab, 'netyard'), engineIn(lab, 'dockerd')];
    for (const engine of engines) if (engine.name === 'dockerd') await startDockerd(engine);
    await loadImage(engines, options.archive);
    return await measure(engines, options.rounds, options.crowd);
  });
  console.log('One host: medians (90th percentile in brackets); ratio = netyard / beside.\n');
  console.log(formatTable(rows.map(formatComparison)));
}
