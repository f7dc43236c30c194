/** The table of a whole run as `docs/conformance.md`. Pure. */
import type { Outcome } from './run.ts';

const count = (outcomes: readonly Outcome[], verdict: Outcome['verdict']): number =>
  outcomes.filter((each) => each.verdict === verdict).length;

export const summary = (outcomes: readonly Outcome[]): string =>
  `${outcomes.length} scenarios: ${count(outcomes, 'same')} same, ${count(outcomes, 'different')} different, ` +
  `${count(outcomes, 'fails')} fail`;

/** Inline code with any content: the delimiter is longer than every row of backticks inside. */
function code(text: string): string {
  const longest = Math.max(0, ...(text.match(/`+/g) ?? []).map(({ length }) => length));
  const delimiter = '`'.repeat(longest + 1);
  const space = longest > 0 ? ' ' : '';
  return `${delimiter}${space}${text.replaceAll('|', '\\|').replaceAll('\n', ' ')}${space}${delimiter}`;
}

export function formatTable(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(({ line, verdict, reason }) => {
    const result = reason === '' ? verdict : `${verdict}: ${reason}`;
    return `| ${code(line)} | ${result.replaceAll('|', '\\|')} |`;
  });
  return ['| scenario | result |', '|---|---|', ...rows].join('\n');
}

/** @param version of dockerd */
export function formatDocument(outcomes: readonly Outcome[], version: string): string {
  const groups = Map.groupBy(outcomes, ({ group }) => group);
  const sections = [...groups].map(([title, each]) => `## ${title}\n\n${formatTable(each)}\n`);
  const head = `<!-- Written by \`script/conformance --document\`. -->
# Conformance with dockerd

Each scenario is one shell line (the docker CLI, or the API through \`api\`, \`try\` and other functions of
\`e2e/conformance/scenario.ts\`) that ran on dockerd ${version} and on Netyard. Ids, times and MAC addresses are replaced;
the rest of the output and the exit status are compared.

${summary(outcomes)}.
`;
  return [head, ...sections].join('\n');
}
