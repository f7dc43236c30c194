/** `cluster ls`, `leave` and `release`: the cluster of which the daemon's host is a member. */
import type { ClusterHostInfo, ClusterInfo } from '@netyard/api-types';
import { goTime, naturalCompare } from '../format/human.ts';
import { type Listing, type Row, renderListing } from '../format/listing.ts';
import { formatFlag } from '../options/shared-flags.ts';
import type { CommandSpec } from '../program/spec.ts';
import { forEach } from './for-each.ts';

const listing: Listing = {
  headers: {
    Name: 'NAME',
    Address: 'ADDRESS',
    Subnets: 'SUBNETS',
    Since: 'SINCE',
    Api: 'API',
    Path: 'PATH',
    State: 'STATE',
    Problem: 'PROBLEM',
  },
  columns: ['Name', 'Address', 'Subnets', 'Since', 'Path', 'State', 'Problem'],
  quiet: 'Name',
  typeName: '*netyard.clusterContext',
};

function hostRow(host: ClusterHostInfo): Row {
  const path = host.Path ? `${host.Path.Kind} dev ${host.Path.Link}` : '-';
  return {
    Name: host.Name,
    Address: host.Address,
    Subnets: host.Subnets.join(','),
    Since: host.Since === '' ? '-' : goTime(new Date(host.Since)),
    Api: host.Api === '' ? '-' : host.Api,
    Path: host.Self ? 'this host' : path,
    State: stateOf(host),
    Problem: host.Problems.length === 0 ? '-' : host.Problems.join('; '),
  };
}

function stateOf({ Present, Self, Path, Problems }: ClusterHostInfo): string {
  if (!Present) return 'gone, subnet reserved';
  if (Problems.length > 0) return 'problem';
  return Self || Path ? 'ready' : 'waiting';
}

/** Lines beside the table: the first about the cluster, the others about problems. */
function remarks(info: ClusterInfo): string[] {
  const { Name, Pool, State, Reason, Problem, Endpoints, Skipped } = info;
  const etcd = {
    connected: `etcd at ${Endpoints.join(', ')} is reachable`,
    unreachable: `etcd at ${Endpoints.join(', ')} is unreachable (${Reason}): showing the last known state`,
    left: 'this host has left; it rejoins when the daemon starts with --cluster',
  };
  return [
    `cluster ${Name}, ${Pool.Subnet} with subnets of /${Pool.SubnetSize}: ${etcd[State]}`,
    ...(Problem === '' ? [] : [Problem]),
    ...Skipped.map(({ Key, Problem: what }) => `skipped ${Key}: ${what}`),
  ];
}

export const clusterLs: CommandSpec = {
  usage: '[OPTIONS]',
  args: [0, 0],
  flags: [formatFlag, { name: 'quiet', short: 'q', type: 'bool', help: 'Only display names' }],
  description:
    'Lists the members, and former members whose subnet is still reserved. Prints a line about the cluster to\n' +
    'standard error.',
  examples: [
    'netyard cluster ls',
    'netyard cluster ls --format json',
    "netyard cluster ls --format '{{.Name}} {{.State}}'",
  ],
  run: async (context, { flags }) => {
    const { cluster } = context.client();
    const [info, hosts] = await Promise.all([cluster.info(), cluster.hosts()]);
    hosts.sort((a, b) => naturalCompare(a.Name, b.Name));
    const choice = { format: flags.text('format'), quiet: flags.bool('quiet') };
    context.write(renderListing(listing, hosts.map(hostRow), choice));
    const [about = '', ...problems] = remarks(info);
    const isTable = choice.format === '' && !choice.quiet;
    for (const line of isTable || info.State !== 'connected' ? [about, ...problems] : problems) context.warn(line);
    return 0;
  },
};

export const clusterLeave: CommandSpec = {
  usage: '',
  args: [0, 0],
  flags: [],
  description:
    'Other hosts delete their routes to this host and may get its subnet. The containers keep their addresses,\n' +
    'reachable from this host only. Remove --cluster from the daemon’s configuration; otherwise it rejoins at the\n' +
    'next start, possibly with another subnet.',
  examples: ['netyard cluster leave'],
  complete: 'none',
  run: async (context) => {
    const { cluster } = context.client();
    const { HostName, Name } = await cluster.info();
    await cluster.leave();
    context.print(`${HostName} has left cluster ${Name}`);
    return 0;
  },
};

export const clusterRelease: CommandSpec = {
  usage: 'HOST [HOST...]',
  args: [1, Number.POSITIVE_INFINITY],
  flags: [],
  description:
    'Releases the subnet of a host that is permanently gone before its reservation expires (--cluster-reservation).\n' +
    'Make sure that the host is down: if it is only disconnected, its containers still use these addresses.',
  examples: ['netyard cluster release server3'],
  complete: 'cluster-hosts',
  run: async (context, { args }) => {
    const { cluster } = context.client();
    return await forEach(context, args, (host) => cluster.release(host));
  },
};
