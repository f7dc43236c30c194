/**
 * Compares Netyard with Debian's dockerd on one host, as ratios of medians, and the attachment of one endpoint with plain
 * system calls. Each engine has its own lab host.
 */
import { join } from 'node:path';
import { execInHost } from '@netyard/lab';
import { type Engine, engineLab, openEngines } from './engine.ts';
import { inLab, say } from './in-lab.ts';
import { type Comparison, formatComparison, formatTable, type Samples } from './measure.ts';
import { connect, fillHost, type PerEngine, runAndRemove, warmUp } from './scenarios.ts';

const lab = 'bench';

const compared = (name: string, samples: PerEngine, target?: number): Comparison => ({
  name,
  ours: samples.netyard,
  theirs: samples.dockerd,
  oursName: '',
  theirsName: 'dockerd',
  unit: 'ms',
  target,
});

/** The attachment of one endpoint in the kernel, measured inside a host: see packages/kernel/bench/attach-floor.ts. */
async function attachFloor(engine: Engine): Promise<Comparison> {
  const script = join(import.meta.dirname, '../packages/kernel/bench/attach-floor.ts');
  const child = execInHost(engine.handle, [process.execPath, script, '60'], {
    environment: process.env,
    folder: '/',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let received = '';
  for await (const data of child.stdout ?? []) received += String(data);
  const times = JSON.parse(received) as { floor: Samples; apply: Samples };
  return {
    ...{ name: 'attach in the kernel', ours: times.apply, theirs: times.floor, oursName: '' },
    ...{ theirsName: 'plain calls', unit: 'ms', target: 1.5 },
  };
}

async function measure(engines: readonly Engine[], rounds: number, size: number): Promise<Comparison[]> {
  const [netyard] = engines;
  if (!netyard) throw new Error('no engine');
  say('attach, compared with plain system calls …');
  const rows = [await attachFloor(netyard)];
  say('the first container, then warm-up …');
  rows.push(compared('docker run -d, first container', await warmUp(engines)));
  say('docker run -d, rm -f …');
  const plain = await runAndRemove(engines, rounds, []);
  rows.push(compared('docker run -d', plain.run, 1 / 3), compared('docker rm -f', plain.remove, 1 / 3));
  say('the same with -p …');
  const published = await runAndRemove(engines, rounds, ['-p', '9000:80']);
  rows.push(
    compared('docker run -d -p', published.run, 1 / 3),
    compared('docker rm -f, published', published.remove, 1 / 3),
  );
  say('network connect through the API …');
  rows.push(compared('network connect', await connect(engines, rounds, []), 5 / 45));
  rows.push(compared('connect and publish', await connect(engines, rounds, ['-p', '9000:80'])));
  say(`${size} containers …`);
  const many = await fillHost(engines, size);
  rows.push(compared(`docker run -d -p, first of ${size}`, many.first));
  rows.push(compared(`docker run -d -p, last of ${size}`, many.last));
  const flat = { oursName: 'last', theirsName: 'first', unit: 'ms' };
  rows.push({
    name: 'last compared with first',
    ours: many.last.netyard,
    theirs: many.first.netyard,
    ...flat,
    target: 1.1,
  });
  rows.push({
    name: 'last compared with first, dockerd',
    ours: many.last.dockerd,
    theirs: many.first.dockerd,
    ...flat,
    target: undefined,
  });
  rows.push(compared(`network connect, ${size} others`, await connect(engines, rounds, [])));
  rows.push(compared(`connect and publish, ${size} others`, await connect(engines, rounds, ['-p', '9000:80'])));
  rows.push({
    ...compared('memory per container', { netyard: [many.memory.netyard], dockerd: [many.memory.dockerd] }, 0.5),
    unit: 'MiB',
  });
  await many.remove();
  return rows;
}

export interface OneHostOptions {
  rounds: number;
  /** Number of containers on the full host. */
  fill: number;
  /** The test image's archive. */
  archive: string;
}

/** Measures and prints the table. */
export async function oneHost(options: OneHostOptions): Promise<void> {
  const rows = await inLab(engineLab(lab), async () => {
    const engines = await openEngines(lab, options.archive);
    return await measure(engines, options.rounds, options.fill);
  });
  console.log('One host: medians (90th percentile in brackets); ratio = netyard / compared.\n');
  console.log(formatTable(rows.map(formatComparison)));
}
