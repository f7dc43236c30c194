/** The words of script/fuzz. */
import { parseArgs } from 'node:util';
import { openHost } from '../e2e/support/host.ts';
import { findFaults, formatSummary, runFuzz } from './run.ts';

const usage = `Usage: script/fuzz [OPTIONS]

Sends valid and mutated requests over all routes to a daemon in a lab host of its own, which is gone afterwards, and
prints what was answered. All answers with status 500 are listed by route and message, with the reason where Docker gives the
same. Fails when the daemon ends, answers with another 500 or with words of its inside, has an uncaught exception, or
grows in descriptors or memory (median of the last quarter and of the idle daemon against that of the second quarter;
from 40000 requests on). Needs root. Nothing leaves the lab: no folder, device or process of
the machine is given to a container, and registries are on loopback.

Options:
  --requests N   requests to send (default 100000)
  --seed N       makes the same requests again (default: of the clock)
  --parallel N   requests at a time (default 16)
  --help         this text

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
