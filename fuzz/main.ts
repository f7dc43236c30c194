/** Command line of script/fuzz. */
import { parseArgs } from 'node:util';
import { openHost } from '../e2e/support/host.ts';
import { findFaults, formatSummary, runFuzz } from './run.ts';

const usage = `Usage: script/fuzz [OPTIONS]

Sends valid and mutated requests for all routes to a daemon in a temporary lab host and prints statistics of the
responses. Lists all responses with status 500 by route and message, with the reason if Docker returns the same. Fails
if the daemon crashes, returns another 500, reveals internals in a message, logs a defect (an exception or an internal
error), or grows in file descriptors or memory. The latter is judged from 40000 requests on: in use after a garbage
collection in all threads, measured 16 times in the last two thirds of the run. Requires root. The containers get no
access to files, devices or processes of the machine, and registries are on loopback.

Options:
  --requests N   requests to send (default 100000)
  --seed N       repeats the requests of an earlier run (default: from the clock)
  --parallel N   concurrent requests (default 16)
  --help         print this text

Examples:
  script/fuzz
  script/fuzz --requests 2000 --seed 7`;

function number(text: string, name: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new Error(`--${name}: ${text} is not a number from 0 to 999999999`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      requests: { type: 'string', default: '100000' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      parallel: { type: 'string', default: '16' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(usage);
  const requests = number(values.requests, 'requests');
  const seed = number(values.seed, 'seed');
  const parallel = Math.max(1, number(values.parallel, 'parallel'));
  console.log(`${requests} requests, seed ${seed}`);
  const host = await openHost('netyard', { images: ['netyard-test'] });
  const stop = (): void => void host.close().finally(() => process.exit(130));
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    const summary = await runFuzz(host, { requests, seed, parallel, report: (line) => console.log(line) });
    console.log(`\n${formatSummary(summary)}`);
    const faults = findFaults(summary);
    for (const fault of faults) console.log(`  ${fault}`);
    process.exitCode = faults.length > 0 ? 1 : 0;
  } finally {
    await host.close();
  }
}

await main().catch((error: unknown) => {
  console.error(`script/fuzz: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
