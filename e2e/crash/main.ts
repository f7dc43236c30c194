/** Runs the cycles of `script/crash`, prints progress and a summary. The exit status is 1 when anything failed. */
import { parseArgs } from 'node:util';
import { type CrashResult, type CycleResult, runCrashes } from './cycles.ts';

const { values } = parseArgs({
  options: {
    cycles: { type: 'string', default: '500' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    'ports-per-bridge': { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

if (values.help) {
  process.stdout.write(`Usage: script/crash [--cycles N] [--seed N] [--ports-per-bridge N]
Kills the daemon with SIGKILL in the middle of container create, start, stop, restart, rm, network connect, disconnect,
create and rm, in its own lab host. Starts it again and compares what its API reports with the interfaces, addresses,
routes, set elements, namespaces, processes, mounts and leases that exist, while two containers ping each other. Needs
root; 500 cycles (the default) take about 30 minutes. With --ports-per-bridge, bridges have at most N containers, and the host
is without br_netfilter, so that networks get segments.\n`);
} else {
  process.stdout.write(`seed ${values.seed}\n`);
  const ports = values['ports-per-bridge'];
  const result = await runCrashes({
    ...(ports === undefined ? {} : { portsPerBridge: Number(ports) }),
    cycles: Number(values.cycles),
    seed: Number(values.seed),
    report: (cycle, one) => process.stdout.write(`${String(cycle).padStart(4)}  ${describe(one)}\n`),
  });
  process.stdout.write(`\n${summary(result)}`);
  const isFailed =
    result.cycles.some(({ failures }) => failures.length > 0) ||
    result.failures.length > 0 ||
    result.pings.some(({ lost }) => lost.length > 0);
  process.exitCode = isFailed ? 1 : 0;
}

function describe(result: CycleResult): string {
  const { succeeded, rejected, interrupted, running, containers, networks, segments, failures } = result;
  const numbers = `${succeeded} operations, ${rejected} rejected; ${running}/${containers} containers run, ${networks} networks, ${segments} segments`;
  const killed = `killed in ${interrupted.join(', ') || 'no operation'}`;
  return [`${numbers}; ${killed}`, ...failures.map((line) => `        ${line}`)].join('\n');
}

function summary({ cycles, pings, failures }: CrashResult): string {
  const interrupted = new Map<string, number>();
  for (const name of cycles.flatMap((cycle) => cycle.interrupted))
    interrupted.set(name, (interrupted.get(name) ?? 0) + 1);
  const sum = (number: (cycle: CycleResult) => number): number => cycles.reduce((total, one) => total + number(one), 0);
  const failed = cycles.filter((cycle) => cycle.failures.length > 0).length;
  return [
    `${cycles.length} cycles, ${failed} with failures`,
    `${sum(({ succeeded }) => succeeded)} operations, ${sum(({ rejected }) => rejected)} rejected`,
    `killed in: ${[...interrupted].map(([name, count]) => `${name} ${count}`).join(', ')}`,
    ...pings.map(
      ({ sent, lost }, index) => `ping over IPv${index === 0 ? 4 : 6}: ${sent} packets, ${lost.length} lost`,
    ),
    ...failures.map((line) => `at the end: ${line}`),
    '',
  ].join('\n');
}
