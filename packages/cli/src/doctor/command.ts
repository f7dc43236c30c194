/** `doctor`: what on this host would break container networking, or is missing, and what to do about it. */
import { Failure } from '../failure.ts';
import type { CommandSpec } from '../program/spec.ts';
import { checks } from './checks.ts';
import { renderFindings } from './finding.ts';
import { openHost } from './host.ts';

export const doctor: CommandSpec = {
  usage: '[OPTIONS]',
  args: [0, 0],
  flags: [{ name: 'format', type: 'string', help: 'table or json', default: 'table' }],
  description: 'Looks, and changes nothing. Needs no daemon. Exit code 1 when something is broken.',
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
