/** `network ls`, `create`, `rm`, `connect`, `disconnect`. */
import type { EndpointSettings, IPAMPoolConfig, Network, NetworkCreateRequest } from '@netyard/api-types';
import { isNetyardError, NetyardError, parseIp, parsePrefix, prefixContains } from '@netyard/core';
import { describeError, Failure } from '../failure.ts';
import { labelsText } from '../format/containers.ts';
import { goTime, naturalCompare } from '../format/human.ts';
import { type Listing, type Row, renderListing } from '../format/listing.ts';
import { keyValues, readLabels } from '../options/environment.ts';
import { filterFlag, parseFilters } from '../options/filters.ts';
import { endpointOf } from '../options/network.ts';
import { formatFlag, noTruncFlag } from '../options/shared-flags.ts';
import type { Flags } from '../program/flags.ts';
import type { CommandSpec } from '../program/spec.ts';
import { printDryRun } from './dry-run.ts';

const listing: Listing = {
  headers: {
    ID: 'NETWORK ID',
    Name: 'NAME',
    Driver: 'DRIVER',
    Scope: 'SCOPE',
    IPv4: 'IPV4',
    IPv6: 'IPV6',
    Internal: 'INTERNAL',
    Labels: 'LABELS',
    Label: 'LABEL',
    CreatedAt: 'CREATED AT',
  },
  columns: ['ID', 'Name', 'Driver', 'Scope'],
  quiet: 'ID',
  typeName: '*network.networkContext',
};

function networkRow(network: Network, truncate: boolean): Row {
  const labels = network.Labels ?? {};
  return {
    ID: truncate ? network.Id.slice(0, 12) : network.Id,
    Name: network.Name,
    Driver: network.Driver,
    Scope: network.Scope,
    IPv4: String(network.EnableIPv4),
    IPv6: String(network.EnableIPv6),
    Internal: String(network.Internal),
    Labels: labelsText(labels),
    Label: (name: string) => labels[name] ?? '',
    CreatedAt: createdText(network.Created),
  };
}

/** Go keeps the fraction of a second. */
function createdText(created: string): string {
  const fraction = (/\.(\d+)/.exec(created)?.[1] ?? '').replace(/0+$/, '');
  const text = goTime(new Date(created));
  return fraction === '' ? text : `${text.slice(0, 19)}.${fraction}${text.slice(19)}`;
}

export const networkLs: CommandSpec = {
  usage: '[OPTIONS]',
  args: [0, 0],
  flags: [
    filterFlag,
    formatFlag,
    noTruncFlag,
    { name: 'quiet', short: 'q', type: 'bool', help: 'Only display network IDs' },
  ],
  examples: ['netyard network ls', 'netyard network ls --filter driver=bridge -q'],
  run: async (context, { flags }) => {
    const networks = await context.client().networks.list(parseFilters(flags.list('filter')));
    networks.sort((a, b) => naturalCompare(a.Name, b.Name));
    const rows = networks.map((network) => networkRow(network, !flags.bool('no-trunc')));
    context.write(renderListing(listing, rows, { format: flags.text('format'), quiet: flags.bool('quiet') }));
    return 0;
  },
};

export const networkCreate: CommandSpec = {
  usage: '[OPTIONS] NETWORK',
  args: [1, 1],
  flags: [
    { name: 'attachable', type: 'bool', help: 'Enable manual container attachment' },
    { name: 'aux-address', type: 'map', help: 'Auxiliary IPv4 or IPv6 addresses used by Network driver' },
    { name: 'driver', short: 'd', type: 'string', help: 'Driver to manage the Network', default: 'bridge' },
    { name: 'gateway', type: 'strings', help: 'IPv4 or IPv6 Gateway for the master subnet' },
    { name: 'internal', type: 'bool', help: 'Restrict external access to the network' },
    { name: 'ip-range', type: 'strings', help: 'Allocate container ip from a sub-range' },
    { name: 'ipam-driver', type: 'string', help: 'IP Address Management Driver', default: 'default' },
    { name: 'ipam-opt', type: 'map', help: 'Set IPAM driver specific options' },
    { name: 'ipv4', type: 'bool', help: 'Enable or disable IPv4 address assignment', default: 'true' },
    { name: 'ipv6', type: 'bool', help: 'Enable or disable IPv6 address assignment' },
    { name: 'label', type: 'list', help: 'Set metadata on a network' },
    { name: 'opt', short: 'o', type: 'map', help: 'Set driver specific options' },
    { name: 'scope', type: 'string', help: "Control the network's scope" },
    { name: 'subnet', type: 'strings', help: 'Subnet in CIDR format that represents a network segment' },
  ],
  examples: ['netyard network create --subnet 10.5.0.0/16 --gateway 10.5.0.1 back'],
  run: async (context, { args: [name = ''], flags }) => {
    const answer = await context.client().networks.create(createBody(name, flags));
    if (answer.Warning) context.warn(`WARNING: ${answer.Warning}`);
    context.print(answer.Id);
    return 0;
  },
};

function createBody(name: string, flags: Flags): NetworkCreateRequest {
  const pools = ipamPools(flags);
  return {
    Name: name,
    Driver: flags.text('driver'),
    ...(flags.text('scope') === '' ? {} : { Scope: flags.text('scope') }),
    ...(flags.has('ipv4') ? { EnableIPv4: flags.bool('ipv4') } : {}),
    ...(flags.has('ipv6') ? { EnableIPv6: flags.bool('ipv6') } : {}),
    IPAM: { Driver: flags.text('ipam-driver'), Options: keyValues(flags.list('ipam-opt')), Config: pools },
    Internal: flags.bool('internal'),
    Attachable: flags.bool('attachable'),
    Ingress: false,
    ConfigOnly: false,
    Options: keyValues(flags.list('opt')),
    Labels: readLabels([], flags.list('label')),
  };
}

/** Each range, gateway and auxiliary address goes to the subnet that holds it. */
function ipamPools(flags: Flags): IPAMPoolConfig[] {
  const subnets = flags.list('subnet');
  const invalid = (text: string): NetyardError => new NetyardError('invalid', text);
  if (subnets.length === 0 && (flags.has('ip-range') || flags.has('gateway'))) {
    throw invalid('every ip-range or gateway must have a corresponding subnet');
  }
  const pools = subnets.map((Subnet): IPAMPoolConfig => ({ Subnet }));
  const poolOf = (address: string, what: string): IPAMPoolConfig => {
    const ip = parseIp(address.split('/')[0] ?? '');
    const pool = pools.find(({ Subnet = '' }) => prefixContains(parsePrefix(Subnet), ip));
    if (!pool) throw invalid(`no matching subnet for ${what} ${address}`);
    return pool;
  };
  for (const range of flags.list('ip-range')) poolOf(range, 'range').IPRange = range;
  for (const gateway of flags.list('gateway')) poolOf(gateway, 'gateway').Gateway = gateway;
  for (const [name, address] of Object.entries(keyValues(flags.list('aux-address')))) {
    const pool = poolOf(address, 'aux-address');
    pool.AuxiliaryAddresses = { ...pool.AuxiliaryAddresses, [name]: address };
  }
  return pools;
}

export const networkRm: CommandSpec = {
  usage: 'NETWORK [NETWORK...]',
  args: [1, Number.POSITIVE_INFINITY],
  flags: [{ name: 'force', short: 'f', type: 'bool', help: 'Do not error if the network does not exist' }],
  examples: ['netyard network rm back'],
  complete: 'networks',
  run: async (context, { args, flags }) => {
    let failed = false;
    for (const ref of args) {
      try {
        await context.client().networks.remove(ref);
        context.print(ref);
      } catch (error) {
        if (flags.bool('force') && isNetyardError(error, 'not-found')) continue;
        context.warn(describeError(error));
        failed = true;
      }
    }
    if (failed) throw new Failure('exit status 1');
    return 0;
  },
};

export const networkConnect: CommandSpec = {
  usage: '[OPTIONS] NETWORK CONTAINER',
  args: [2, 2],
  flags: [
    { name: 'alias', type: 'strings', help: 'Add network-scoped alias for the container' },
    { name: 'driver-opt', type: 'strings', help: 'driver options for the network' },
    { name: 'dry-run', type: 'bool', help: 'Print what would be done, as shell commands; do nothing' },
    {
      name: 'gw-priority',
      type: 'int',
      help: 'Highest gw-priority provides the default gateway. Accepts positive and negative values.',
    },
    { name: 'ip', type: 'string', help: 'IPv4 address (e.g., "172.30.100.104")' },
    { name: 'ip6', type: 'string', help: 'IPv6 address (e.g., "2001:db8::33")' },
    { name: 'link', type: 'list', help: 'Add link to another container' },
    { name: 'link-local-ip', type: 'strings', help: 'Add a link-local address for the container' },
  ],
  examples: ['netyard network connect bridge web', 'netyard network connect --dry-run bridge web'],
  complete: 'networks',
  run: async (context, { args: [network = '', container = ''], flags }) => {
    const body = { Container: container, EndpointConfig: endpointFrom(flags) };
    const { networks } = context.client();
    if (flags.bool('dry-run')) printDryRun(context, await networks.planConnect(network, body));
    else await networks.connect(network, body);
    return 0;
  },
};

/** Aliases are the daemon's to refuse here: the command does not know what kind of network it is. */
function endpointFrom(flags: Flags): EndpointSettings {
  return endpointOf({
    target: 'any',
    aliases: flags.list('alias'),
    links: flags.list('link'),
    driverOptions: keyValues(flags.list('driver-opt')),
    ipv4: flags.text('ip'),
    ipv6: flags.text('ip6'),
    mac: '',
    linkLocalIps: flags.list('link-local-ip'),
    gatewayPriority: flags.number('gw-priority'),
  });
}

export const networkDisconnect: CommandSpec = {
  usage: '[OPTIONS] NETWORK CONTAINER',
  args: [2, 2],
  flags: [
    { name: 'dry-run', type: 'bool', help: 'Print what would be done, as shell commands; do nothing' },
    { name: 'force', short: 'f', type: 'bool', help: 'Force the container to disconnect from a network' },
  ],
  examples: ['netyard network disconnect bridge web', 'netyard network disconnect --dry-run bridge web'],
  complete: 'networks',
  run: async (context, { args: [network = '', container = ''], flags }) => {
    const body = { Container: container, Force: flags.bool('force') };
    const { networks } = context.client();
    if (flags.bool('dry-run')) printDryRun(context, await networks.planDisconnect(network, body));
    else await networks.disconnect(network, body);
    return 0;
  },
};
