/** `topology`: lists the containers of all engines of this host, and network namespaces of none. */
import { oneLine } from '../format/escape.ts';
import { renderListing } from '../format/listing.ts';
import { formatFlag } from '../options/shared-flags.ts';
import type { CommandSpec } from '../program/spec.ts';
import { requireRoot, surveyOptions } from './local.ts';
import { engineProblem, topologyListing, topologyRows } from './rows.ts';

export const topology: CommandSpec = {
  usage: '[OPTIONS]',
  args: [0, 0],
  flags: [
    formatFlag,
    {
      name: 'json',
      type: 'bool',
      help: 'Print everything as JSON, with links, routes, neighbours and sockets of each namespace',
    },
    { name: 'quiet', short: 'q', type: 'bool', help: 'Only display names' },
  ],
  description:
    'Lists containers of Netyard, Docker, Podman and containerd (nerdctl, Kubernetes) on this host, and network\n' +
    'namespaces of no engine, such as those of `ip netns`. Changes nothing, and needs no daemon. Problems of engines\n' +
    'are printed on stderr.',
  examples: ['sudo netyard topology', "sudo netyard topology --json | jq '.namespaces[].sockets'"],
  complete: 'none',
  run: async (context, { flags }) => {
    requireRoot('netyard topology');
    const { observeHost } = await import('@netyard/topology');
    const host = await observeHost({ ...surveyOptions(context), socketProcesses: flags.bool('json') });
    if (flags.bool('json')) context.print(JSON.stringify(host, null, 2));
    else {
      const style = { format: flags.text('format'), quiet: flags.bool('quiet') };
      context.write(renderListing(topologyListing, topologyRows(host), style));
    }
    const problems = [...host.engines.flatMap((engine) => engineProblem(engine) ?? []), ...host.problems];
    for (const problem of problems) context.warn(oneLine(`warning: ${problem}`));
    return 0;
  },
};
