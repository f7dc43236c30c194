/** `network ls`, `create`, `rm`, `connect`, `disconnect`. */
import {
  type EndpointSettings,
  type IPAMPoolConfig,
  type Network,
  type NetworkCreateRequest,
  networkCreate as networkFields,
} from '@netyard/api-types';
import { isNetyardError, NetyardError, parseIp, parsePrefix, prefixContains } from '@netyard/core';
import { describeError, Failure } from '../failure.ts';
import { labelsText } from '../format/containers.ts';
import { goTime, naturalCompare } from '../format/human.ts';
import { type Listing, type Row, renderListing } from '../format/listing.ts';
import { commandFlags } from '../options/command-flags.ts';
import { keyValues, readLabels } from '../options/environment.ts';
import { fillFields } from '../options/fill-fields.ts';
import { filterFlag, parseFilters } from '../options/filters.ts';
import { endpointOf } from '../options/network.ts';
import { formatFlag, noTruncFlag } from '../options/shared-flags.ts';
import type { Flags } from '../program/flags.ts';
import type { CommandSpec } from '../program/spec.ts';
import { dryRunEach, dryRunFlag, printDryRun } from './dry-run.ts';

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

/** Go prints the fraction of the second. */
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
  flags: commandFlags('network create'),
  examples: [
    'netyard network create front',
    'netyard network create --internal --subnet 10.5.0.0/16 --gateway 10.5.0.1 back',
    'netyard network create --dry-run front',
  ],
  run: async (context, { args: [name = ''], flags }) => {
    const { networks } = context.client();
    checkScope(flags);
    const body = createBody(name, flags);
    if (flags.bool('dry-run')) {
      printDryRun(context, await networks.planCreate(body));
      return 0;
    }
    const answer = await networks.create(body);
    if (answer.Warning) context.warn(`WARNING: ${answer.Warning}`);
    context.print(answer.Id);
    return 0;
  },
};

/** The daemon takes `bridge`, the default of --driver, for overlay: it does not see whether the flag was given. */
function checkScope(flags: Flags): void {
  if (flags.text('scope') === 'cluster' && flags.has('driver') && flags.text('driver') === 'bridge')
    throw new NetyardError('invalid', 'networks of scope cluster have the driver overlay, not bridge');
}

function createBody(name: string, flags: Flags): NetworkCreateRequest {
  const ipam = {
    Driver: flags.text('ipam-driver'),
    Options: keyValues(flags.list('ipam-opt')),
    Config: ipamPools(flags),
  };
  const given = (name: string): boolean | undefined => (flags.has(name) ? flags.bool(name) : undefined);
  const body = fillFields(networkFields, flags, {
    Name: name,
    Scope: flags.text('scope') || undefined,
    EnableIPv4: given('ipv4'),
    EnableIPv6: given('ipv6'),
    IPAM: ipam,
    ConfigFrom: flags.has('config-from') ? { Network: flags.text('config-from') } : undefined,
    Options: keyValues(flags.list('opt')),
    Labels: readLabels([], flags.list('label')),
  });
  return body as NetworkCreateRequest;
}

/** Assigns each range, gateway and auxiliary address to the subnet that contains it. */
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
  usage: '[OPTIONS] NETWORK [NETWORK...]',
  args: [1, Number.POSITIVE_INFINITY],
  flags: [dryRunFlag, { name: 'force', short: 'f', type: 'bool', help: 'Do not error if the network does not exist' }],
  examples: ['netyard network rm back', 'netyard network rm --dry-run back'],
  complete: 'networks',
  run: async (context, { args, flags }) => {
    const { networks } = context.client();
    if (flags.bool('dry-run')) return dryRunEach(context, args, (ref) => networks.planRemove(ref));
    let failed = false;
    for (const ref of args) {
      try {
        await networks.remove(ref);
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
  flags: commandFlags('network connect'),
  examples: [
    'netyard network connect front web',
    'netyard network connect --alias www --ip 10.5.0.9 back web',
    'netyard network connect --dry-run front web',
  ],
  complete: 'networks',
  run: async (context, { args: [network = '', container = ''], flags }) => {
    const body = { Container: container, EndpointConfig: endpointFrom(flags) };
    const { networks } = context.client();
    if (flags.bool('dry-run')) printDryRun(context, await networks.planConnect(network, body));
    else await networks.connect(network, body);
    return 0;
  },
};

/** The daemon rejects invalid aliases: the client does not know the kind of the network. */
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
    dryRunFlag,
    { name: 'force', short: 'f', type: 'bool', help: 'Force the container to disconnect from a network' },
  ],
  examples: ['netyard network disconnect front web', 'netyard network disconnect --dry-run front web'],
  complete: 'networks',
  run: async (context, { args: [network = '', container = ''], flags }) => {
    const body = { Container: container, Force: flags.bool('force') };
    const { networks } = context.client();
    if (flags.bool('dry-run')) printDryRun(context, await networks.planDisconnect(network, body));
    else await networks.disconnect(network, body);
    return 0;
  },
};
