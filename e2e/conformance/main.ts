/** Runs `script/conformance`: prints each difference and a table. The exit status is 1 when a scenario without a reason differs. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cannotRun } from '../support/engines.ts';
import { closePair, openPair } from '../support/same-output.ts';
import { formatDocument, formatTable, summary } from './document.ts';
import { chosen, commonVersion, type Outcome, runScenarios } from './run.ts';
import { scenarioGroups } from './scenarios.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    short: { type: 'boolean', default: false },
    document: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

const help = `Usage: script/conformance [--only PATTERN] [--short] [--document]
Runs the scenarios on dockerd and on Netyard in two lab hosts, compares their normalized output, and prints a table: same,
different (with the reason, which the table of scenarios has), fails. PATTERN is a regular expression for a scenario's line
or the title of its group; --short runs the part that belongs to script/test. --document writes the
table to docs/conformance.md. Needs root.\n`;

const print = (text: string): boolean => process.stdout.write(`${text}\n`);

function report({ group, line, verdict, netyard, dockerd }: Outcome): void {
  print(`${verdict.padEnd(9)} ${group}: ${line}`);
  if (verdict === 'fails') print(`--- dockerd\n${dockerd}\n--- netyard\n${netyard}\n`);
}

async function main(): Promise<void> {
  if (values.document && (values.short || values.only !== undefined))
    throw new Error('--document needs all scenarios: leave out --short and --only');
  const reason = cannotRun('netyard') || cannotRun('dockerd');
  if (reason) throw new Error(reason);
  const groups = chosen(scenarioGroups, {
    short: values.short,
    ...(values.only === undefined ? {} : { only: new RegExp(values.only) }),
  });
  const pair = await openPair(['netyard-test']);
  try {
    const version = await pair.dockerd.docker('version', '-f', '{{.Server.Version}}');
    const outcomes: Outcome[] = [];
    for await (const outcome of runScenarios(pair, groups, await commonVersion(pair))) {
      report(outcome);
      outcomes.push(outcome);
    }
    print(`\ndockerd ${version}\n\n${formatTable(outcomes)}\n\n${summary(outcomes)}`);
    if (values.document)
      writeFileSync(join(import.meta.dirname, '../../docs/conformance.md'), formatDocument(outcomes, version));
    process.exitCode = outcomes.some(({ verdict }) => verdict === 'fails') ? 1 : 0;
  } finally {
    await closePair(pair);
  }
}

if (values.help) process.stdout.write(help);
else await main();
