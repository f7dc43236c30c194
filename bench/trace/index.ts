/**
 * What `netyard trace` costs: round trips between two containers while the way between them is observed, as for the first
 * probe and with everything, and during a whole trace of a target that does not answer, compared with the same without, in
 * turns; and the time of a whole trace of a reachable target, on one host and across two.
 */
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { execInHost } from '@netyard/lab';
import { engineIn, setUpEngine } from '../engine.ts';
import { inLab, output, say } from '../in-lab.ts';
import { formatColumns, medianInterval, type Samples, summarize, timed } from '../measure.ts';
import { openBridge } from '../traffic/engines.ts';
import { type Path, ports } from '../traffic/path.ts';
import { type Delays, probeDelays, startServers } from '../traffic/probe.ts';
import { traceAcrossHosts } from './hosts.ts';
import { addDrop, formatWhole, measureWhole, type SilentTarget, silentTargets, type WholeTrace } from './whole.ts';

const lab = 'bench-trace';
const address = '172.30.0.1';
const definition = `
name: ${lab}
switch: 172.30.0.0/16
hosts:
  netyard: { address: ${address}/16 }
`;
const netyard = join(import.meta.dirname, '../../bin/netyard');
/** The table that a trace makes for rule tracing, in a host that has rules. */
const traceTable = /netyard_trace_/;

const hold = join(import.meta.dirname, 'hold.ts');

/** Until the observing program uses no processor itself. */
const settleMs = 500;

/** Measures while received packets are observed, as for the first probe of each trace, or everything, as for the second. */
async function whileObserved(path: Path, what: 'first' | 'everything'): Promise<Delays> {
  const { host } = path.client;
  const child = execInHost(host, [process.execPath, hold, what], {
    ...{ environment: process.env, folder: import.meta.dirname, stdio: ['pipe', 'pipe', 'inherit'] },
  });
  const ended = once(child, 'close');
  const [line] = await Promise.race([once(child.stdout ?? child, 'data'), ended]);
  if (!/^observed/.test(`${line}`)) throw new Error(`the observation cannot be measured: ${line}`);
  if (what === 'everything' && !traceTable.test(await output(host, ['nft', 'list', 'tables'])))
    throw new Error('no rule is traced');
  await pause(settleMs);
  const delays = await probeDelays(path);
  const isObserved = child.exitCode === null;
  child.stdin?.end();
  await ended;
  if (!isObserved) throw new Error('the observation ended while round trips were measured');
  return delays;
}

interface Measured {
  idle: Delays[];
  first: Delays[];
  full: Delays[];
  /** Milliseconds. */
  traces: number[];
  whole: Record<SilentTarget, WholeTrace[]>;
}

async function measure(path: Path, rounds: number): Promise<Measured> {
  const result: Measured = {
    idle: [],
    first: [],
    full: [],
    traces: [],
    whole: { 'rule drop': [], 'silent neighbour': [] },
  };
  const { host } = path.client;
  const reachable = [netyard, 'trace', 'one', `${path.address}:${ports.echo}`];
  const work = {
    idle: async () => result.idle.push(await probeDelays(path)),
    first: async () => result.first.push(await whileObserved(path, 'first')),
    full: async () => result.full.push(await whileObserved(path, 'everything')),
    traces: async () => result.traces.push(await timed(() => output(host, reachable))),
  };
  await addDrop(path);
  await probeDelays(path);
  await output(host, reachable);
  for (let round = 0; round < rounds; round += 1) {
    say(`round ${round + 1} of ${rounds} …`);
    const order = ['first', 'idle', 'full'] as const;
    for (const name of round % 2 === 0 ? order : order.toReversed()) await work[name]();
    await work.traces();
    for (const target of silentTargets)
      result.whole[target].push(await measureWhole(path, { netyard, target, isFirst: round % 2 === 0 }));
  }
  return result;
}

const figure = (samples: Samples): string => {
  const { p10, median, p90 } = summarize(samples);
  return `${median.toFixed(1)} (${p10.toFixed(1)} – ${p90.toFixed(1)})`;
};

const observed = { first: 'first probe', full: 'everything' } as const;

function formatRow(
  title: string,
  state: keyof typeof observed,
  metric: keyof Delays,
  { idle, ...measured }: Measured,
  target?: number,
): string[] {
  const armed = measured[state];
  const of = (all: readonly Delays[]): number[] => all.map((one) => one[metric]);
  const ratios = of(armed).map((value, round) => value / (of(idle)[round] ?? Number.NaN));
  const { median } = summarize(ratios);
  const { low, high } = medianInterval(ratios);
  return [
    ...[
      title,
      observed[state],
      figure(of(armed)),
      figure(of(idle)),
      median.toFixed(3),
      `${low.toFixed(3)} – ${high.toFixed(3)}`,
    ],
    ...(target === undefined ? ['-', ''] : [`≤ ${target.toFixed(2)}`, median <= target ? 'yes' : 'NO']),
  ];
}

/** Milliseconds. */
const targets = { oneHost: 500, acrossHosts: 1000 } as const;

function formatTime(what: string, samples: Samples, target: number): string {
  const verdict = summarize(samples).median <= target ? 'yes' : 'NO';
  return `A trace of a reachable target${what}: ${figure(samples)} ms; at most ${target} ms: ${verdict}`;
}

/** Measures and prints the tables. */
export async function trace({ rounds, archive }: { rounds: number; archive: string }): Promise<void> {
  const measured = await inLab(definition, async () => {
    const engine = engineIn(lab, 'netyard');
    await setUpEngine(engine, archive);
    const path = await openBridge({ engine, address, subnet: '' });
    await startServers(path);
    return await measure(path, rounds);
  });
  const acrossHosts = await traceAcrossHosts({ rounds, archive });
  console.log(
    `Traces: medians of ${rounds} rounds (10th – 90th percentile), ratios of each round with their 95 % interval.\n`,
  );
  console.log(
    formatColumns([
      ['between the traced containers, µs', 'observed', 'armed', 'not armed', 'ratio', 'interval', 'target', 'reached'],
      formatRow('round trip', 'first', 'roundTrip', measured, 1.02),
      formatRow('round trip, 99 % within', 'first', 'roundTrip99', measured),
      formatRow('new connection', 'first', 'connection', measured),
      formatRow('round trip', 'full', 'roundTrip', measured),
      formatRow('round trip, 99 % within', 'full', 'roundTrip99', measured),
      formatRow('new connection', 'full', 'connection', measured),
      ...silentTargets.flatMap((target) => formatWhole(target, measured.whole[target])),
    ]),
  );
  console.log(`\n${formatTime('', measured.traces, targets.oneHost)}`);
  console.log(formatTime(' on another host', acrossHosts, targets.acrossHosts));
}
