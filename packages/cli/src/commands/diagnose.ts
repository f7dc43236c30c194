/** `diagnose`: checks containers of any engine and their network without sending anything. */
import type { DiagnoseFinding } from '@netyard/trace';
import { Failure } from '../failure.ts';
import { oneLine } from '../format/escape.ts';
import type { CommandSpec } from '../program/spec.ts';

export const diagnose: CommandSpec = {
  usage: '[OPTIONS] [CONTAINER|NETWORK]',
  args: [0, 1],
  flags: [
    { name: 'json', type: 'bool', help: 'Print the findings as JSON' },
    { name: 'quiet', short: 'q', type: 'bool', help: 'Print problems only' },
  ],
  description:
    'Checks a container, the members of a network, or all running containers, of any engine: state, interfaces, MTU,\n' +
    'addresses, routes, listeners of published ports, names, neighbour entries; and what concerns all of them on the host.\n' +
    'Sends nothing and changes nothing. Needs root, and no daemon. `netyard doctor` checks the installation instead.\n' +
    'Exit code: 1 if something is broken, otherwise 0.',
  examples: [
    'netyard diagnose',
    'netyard diagnose web',
    'netyard diagnose -q back',
    'netyard diagnose docker/app --json',
  ],
  complete: 'targets',
  run: async (context, { args: [target], flags }) => {
    if (process.getuid?.() !== 0) {
      throw new Failure('netyard diagnose needs root: it looks into the namespaces of containers');
    }
    const { observeHost } = await import('@netyard/topology');
    const { diagnose: run } = await import('@netyard/trace');
    const topology = await observeHost({ env: context.env, socketProcesses: true });
    const findings = await run(topology, target);
    const shown = flags.bool('quiet') ? findings.filter(({ grade }) => grade !== 'fine') : findings;
    if (flags.bool('json')) context.print(JSON.stringify(shown));
    else for (const line of shown.flatMap(linesOf)) context.print(line);
    return findings.some(({ grade }) => grade === 'broken') ? 1 : 0;
  },
};

export const linesOf = ({ grade, text, fix }: DiagnoseFinding): string[] => [
  `${grade.padEnd(10)}  ${oneLine(text)}`,
  ...(fix === undefined ? [] : [`            fix: ${oneLine(fix)}`]),
];
