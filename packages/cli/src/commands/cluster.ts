/** `cluster ls`, `leave`, `release`: the hosts of the cluster that the daemon's host is a member of. */
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
  if (!Present) return 'gone, subnet kept';
  if (Problems.length > 0) return 'trouble';
  return Self || Path ? 'ready' : 'waiting';
}

/** What the table cannot say; the first line for people, the others for trouble. */
function remarks(info: ClusterInfo): string[] {
  const { Name, Pool, State, Reason, Problem, Endpoints, Skipped } = info;
  const etcd = {
    connected: `etcd at ${Endpoints.join(', ')} is there`,
    unreachable: `etcd at ${Endpoints.join(', ')} is away (${Reason}): this is what was known last`,
    left: 'this host has left; it joins again when the daemon starts with --cluster',
  };
  return [
    `cluster ${Name}, ${Pool.Subnet} in pieces of /${Pool.SubnetSize}: ${etcd[State]}`,
    ...(Problem === '' ? [] : [Problem]),
    ...Skipped.map(({ Key, Problem: what }) => `skipped ${Key}: ${what}`),
  ];
}

export const clusterLs: CommandSpec = {
  usage: '[OPTIONS]',
  args: [0, 0],
  flags: [formatFlag, { name: 'quiet', short: 'q', type: 'bool', help: 'Only display names' }],
  description:
    'Lists the members, and hosts that are gone but whose subnet is kept for them. The line about the cluster itself\n' +
    'goes to standard error.',
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
    const [about = '', ...trouble] = remarks(info);
    const isTable = choice.format === '' && !choice.quiet;
    for (const line of isTable || info.State !== 'connected' ? [about, ...trouble] : trouble) context.warn(line);
    return 0;
  },
};

export const clusterLeave: CommandSpec = {
  usage: '',
  args: [0, 0],
  flags: [],
  description:
    'Takes this host out: its subnet is free for others, and they drop their routes to it. Its containers go on with\n' +
    'the addresses that they have, reached from this host alone. Take --cluster out of the daemon’s configuration,\n' +
    'or it joins again, with a subnet that may be another one, when it starts next.',
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
    'Gives the subnet of a host back that is gone for good, before its reservation ends (--cluster-reservation).\n' +
    'Be sure that it is gone: one that is only cut off still has containers with these addresses.',
  examples: ['netyard cluster release server3'],
  complete: 'cluster-hosts',
  run: async (context, { args }) => {
    const { cluster } = context.client();
    return await forEach(context, args, (host) => cluster.release(host));
  },
};
