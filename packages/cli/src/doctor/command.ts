/** `doctor`: checks a host for missing requirements and settings that break containers, and suggests fixes. */
import { Failure } from '../failure.ts';
import type { CommandSpec } from '../program/spec.ts';
import { checks } from './checks.ts';
import { renderFindings } from './finding.ts';
import { openHost } from './host.ts';
import { inspectNetyard } from './inspection.ts';

export const doctor: CommandSpec = {
  usage: '[OPTIONS]',
  args: [0, 0],
  flags: [
    { name: 'format', type: 'string', help: 'Output format: table or json', default: 'table' },
    { name: 'data-root', type: 'string', help: "Data root (default: the running daemon's, or as configured)" },
    { name: 'config-file', type: 'string', help: 'Configuration file of the daemon' },
  ],
  description:
    'Checks requirements, other firewalls, and how kernel and data root differ from what Netyard recorded. Changes\n' +
    'nothing, and needs no daemon. Run it as root to see everything. The exit code is 1 if something is broken.',
  examples: [
    'netyard doctor',
    'netyard doctor --data-root /var/lib/netyard',
    'netyard doctor --format json | jq \'.[] | select(.grade != "ok")\'',
  ],
  run: async (context, { flags }) => {
    const format = flags.text('format');
    if (format !== 'table' && format !== 'json')
      throw new Failure(`unknown format ${JSON.stringify(format)}: table or json`);
    const host = openHost(context.env);
    const found = (await Promise.all(checks.map((check) => check(host)))).flat();
    const paths = { dataRoot: flags.text('data-root'), configFile: flags.text('config-file') };
    const inspected = await inspectNetyard(context, host, paths);
    // Netyard's own report on forwarding includes the setting.
    const isReported = inspected.some(({ id }) => id === 'forwarding');
    const findings = [...found.filter(({ id }) => !isReported || id !== 'ip_forward'), ...inspected];
    context.write(format === 'json' ? `${JSON.stringify(findings, null, 2)}\n` : renderFindings(findings));
    return findings.some(({ grade }) => grade === 'broken') ? 1 : 0;
  },
};
