/** Runs the cycles of `script/damage`, prints progress and a table. The exit status is 1 when anything was lost or failed. */
import { parseArgs } from 'node:util';
import { type CycleResult, runCycles } from './cycles.ts';

const { values } = parseArgs({
  options: {
    cycles: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    only: { type: 'string', multiple: true },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

if (values.help) {
  process.stdout.write(`Usage: script/damage [--cycles N] [--seed N] [--only DAMAGE]…
Kills the daemon at random times in its own lab host, damages its state, starts and recovers it, and checks that no
container and no layer was lost. Needs root; 200 cycles take about 15 minutes.\n`);
} else {
  process.stdout.write(`seed ${values.seed}\n`);
  const results = await runCycles({
    cycles: Number(values.cycles),
    seed: Number(values.seed),
    ...(values.only ? { only: values.only } : {}),
    report: (cycle, result) => process.stdout.write(`${String(cycle).padStart(4)}  ${describe(result)}\n`),
  });
  process.stdout.write(`\n${table(results)}`);
  process.exitCode = results.length === Number(values.cycles) && results.every(isPassed) ? 0 : 1;
}

function isPassed({ lost, layersDeleted, failures, outcome }: CycleResult): boolean {
  return lost.length + layersDeleted.length + failures.length === 0 && outcome !== 'down';
}

function describe(result: CycleResult): string {
  const { damage, outcome, containers, lost, layersDeleted, failures } = result;
  const numbers = `${containers} containers, ${lost.length} lost, ${layersDeleted.length} layers deleted`;
  return [`${damage.padEnd(28)} ${outcome.padEnd(19)} ${numbers}`, ...failures.map((line) => `        ${line}`)].join(
    '\n',
  );
}

function table(results: readonly CycleResult[]): string {
  const names = [...new Set(results.map(({ damage }) => damage))].sort();
  const header = [
    'damage',
    'cycles',
    'started',
    'recovered',
    'down',
    'containers lost',
    'layers deleted',
    'other failures',
  ];
  const line = (name: string, of: readonly CycleResult[]): string[] => {
    const count = (outcome: CycleResult['outcome']): number => of.filter((result) => result.outcome === outcome).length;
    const sum = (number: (result: CycleResult) => number): number =>
      of.reduce((total, each) => total + number(each), 0);
    const numbers = [of.length, count('started'), count('rejected, recovered'), count('down')];
    const losses = [sum(({ lost }) => lost.length), sum(({ layersDeleted }) => layersDeleted.length)];
    return [name, ...[...numbers, ...losses, sum(({ failures }) => failures.length)].map(String)];
  };
  const rows = [
    ...names.map((name) =>
      line(
        name,
        results.filter(({ damage }) => damage === name),
      ),
    ),
    line('all', results),
  ];
  return [header, ...rows]
    .map((cells) => `| ${cells.join(' | ')} |\n`)
    .toSpliced(1, 0, `|${'---|'.repeat(header.length)}\n`)
    .join('');
}
