/** `doctor`: checks a host for missing requirements and settings that break containers, and suggests fixes. */
import { Failure } from '../failure.ts';
import type { CommandSpec } from '../program/spec.ts';
import { checks } from './checks.ts';
import { renderFindings } from './finding.ts';
import { openHost } from './host.ts';

export const doctor: CommandSpec = {
  usage: '[OPTIONS]',
  args: [0, 0],
  flags: [{ name: 'format', type: 'string', help: 'Output format: table or json', default: 'table' }],
  description: 'Reads settings only, and needs no daemon. The exit code is 1 if a check fails.',
  examples: ['netyard doctor', 'netyard doctor --format json'],
  run: async (context, { flags }) => {
    const format = flags.text('format');
    if (format !== 'table' && format !== 'json')
      throw new Failure(`unknown format ${JSON.stringify(format)}: table or json`);
    const host = openHost(context.env);
    const findings = (await Promise.all(checks.map((check) => check(host)))).flat();
    context.write(format === 'json' ? `${JSON.stringify(findings, null, 2)}\n` : renderFindings(findings));
    return findings.some(({ severity }) => severity === 'broken') ? 1 : 0;
  },
};
