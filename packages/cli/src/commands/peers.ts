/** `peer add`, `ls` and `rm`: remote hosts whose containers and ours reach each other. */
import { resolve } from 'node:path';
import type { Peer, PeerAddRequest } from '@netyard/api-types';
import { parseIp, parsePrefix } from '@netyard/core';
import { Failure } from '../failure.ts';
import { goTime, humanDuration, naturalCompare } from '../format/human.ts';
import { type Listing, type Row, renderListing } from '../format/listing.ts';
import { formatFlag } from '../options/shared-flags.ts';
import type { Flags } from '../program/flags.ts';
import type { CommandSpec } from '../program/spec.ts';
import { printDryRun } from './dry-run.ts';
import { forEach } from './for-each.ts';

const listing: Listing = {
  headers: {
    Name: 'NAME',
    Address: 'ADDRESS',
    Subnets: 'SUBNETS',
    Via: 'VIA',
    Path: 'PATH',
    Packets: 'PACKETS IN/OUT',
    LastSeen: 'LAST SEEN',
    MTU: 'MTU',
    State: 'STATE',
    Origin: 'ORIGIN',
    CreatedAt: 'CREATED AT',
  },
  columns: ['Name', 'Address', 'Subnets', 'Path', 'Packets', 'LastSeen', 'State'],
  quiet: 'Name',
  typeName: '*netyard.peerContext',
};

function peerRow(peer: Peer, now: number): Row {
  return {
    Name: peer.Name,
    Address: peer.Address,
    Subnets: peer.Subnets.join(','),
    Via: peer.Via,
    Path: peer.Path ? `${peer.Path.Kind} dev ${peer.Path.Uplink}` : '-',
    Packets: `${peer.Packets.In}/${peer.Packets.Out}`,
    LastSeen: peer.LastSeen === '' ? '-' : `${humanDuration(now - Date.parse(peer.LastSeen) / 1000)} ago`,
    MTU: String(peer.Path?.MTU ?? '-'),
    State: peer.Problems.length === 0 ? 'ready' : peer.Problems.join('; '),
    Origin: peer.Origin,
    CreatedAt: goTime(new Date(peer.Created)),
  };
}

const dryRunFlag = {
  name: 'dry-run',
  type: 'bool',
  help: 'Print the network operations as shell commands, without running them',
} as const;

/** Uses absolute paths, because the daemon has another working directory. */
function apiOf(flags: Flags, cwd: string): Pick<PeerAddRequest, 'Api'> {
  const given = ['api', 'api-ca', 'api-cert', 'api-key'].filter((flag) => flags.has(flag));
  if (given.length === 0) return {};
  if (given.length < 4)
    throw new Failure("a peer's API needs all of --api, --api-ca, --api-cert and --api-key: it uses TLS");
  const file = (flag: string): string => resolve(cwd, flags.text(flag));
  return {
    Api: { Url: flags.text('api'), Ca: file('api-ca'), Certificate: file('api-cert'), Key: file('api-key') },
  };
}

function checkVia(text: string): void {
  if (!['auto', 'route', 'vxlan'].includes(text)) throw new Error('it must be auto, route or vxlan');
}

export const peerAdd: CommandSpec = {
  usage: '[OPTIONS] NAME',
  args: [1, 1],
  flags: [
    {
      name: 'address',
      type: 'string',
      help: 'Address of the peer, IPv4 or IPv6 (e.g., 172.16.2.102)',
      check: (text) => parseIp(text.replace(/%.*$/, '')), // the daemon explains why it rejects a zone
    },
    {
      name: 'api',
      type: 'string',
      help: "API of the peer's daemon, for links to HOST/NAME and captures (e.g., https://172.16.2.102:2376)",
    },
    { name: 'api-ca', type: 'string', help: "File on this host with the CA certificate of the peer's daemon" },
    { name: 'api-cert', type: 'string', help: 'File on this host with the client certificate for the API' },
    {
      name: 'api-key',
      type: 'string',
      help: 'File on this host with the key of the client certificate, readable by root only',
    },
    dryRunFlag,
    {
      name: 'subnet',
      type: 'strings',
      help: "Subnet of the peer's containers (e.g., 192.168.12.0/24)",
      check: (text) => text.split(',').map(parsePrefix),
    },
    {
      name: 'via',
      type: 'string',
      help: 'Path to the peer: route (on a shared layer 2 network), vxlan (a tunnel) or auto (route if possible)',
      default: 'auto',
      check: checkVia,
      complete: ['auto', 'route', 'vxlan'],
    },
  ],
  description:
    'Routes between the containers of this host and those of a remote host, without NAT. Add this host as a\n' +
    'peer of the remote host too. Each host needs a different --bip.',
  examples: [
    'netyard peer add server2 --address 172.16.2.102 --subnet 192.168.12.0/24',
    'netyard peer add server2 --address 172.16.2.102 --subnet 192.168.12.0/24 --dry-run',
  ],
  complete: 'none',
  run: async (context, { args: [name = ''], flags }) => {
    for (const flag of ['address', 'subnet'])
      if (!flags.has(flag)) throw new Failure(`a peer needs --${flag}: see 'netyard peer add --help'`);
    const via = flags.text('via');
    const body = {
      Name: name,
      Address: flags.text('address'),
      Subnets: flags.list('subnet'),
      Via: via,
      ...apiOf(flags, context.cwd),
    } as PeerAddRequest;
    const { peers } = context.client();
    if (flags.bool('dry-run')) printDryRun(context, await peers.planAdd(body));
    else context.print((await peers.add(body)).Name);
    return 0;
  },
};

export const peerLs: CommandSpec = {
  usage: '[OPTIONS]',
  args: [0, 0],
  flags: [formatFlag, { name: 'quiet', short: 'q', type: 'bool', help: 'Only display names' }],
  examples: ['netyard peer ls', "netyard peer ls --format '{{.Name}} {{.State}}'"],
  run: async (context, { flags }) => {
    const peers = await context.client().peers.list();
    peers.sort((a, b) => naturalCompare(a.Name, b.Name));
    const now = Number(context.clock.now() / 1_000_000n) / 1000;
    const choice = { format: flags.text('format'), quiet: flags.bool('quiet') };
    context.write(
      renderListing(
        listing,
        peers.map((peer) => peerRow(peer, now)),
        choice,
      ),
    );
    return 0;
  },
};

export const peerRm: CommandSpec = {
  usage: '[OPTIONS] NAME [NAME...]',
  args: [1, Number.POSITIVE_INFINITY],
  flags: [dryRunFlag],
  examples: ['netyard peer rm server2'],
  complete: 'peers',
  run: async (context, { args, flags }) => {
    const { peers } = context.client();
    if (!flags.bool('dry-run')) return await forEach(context, args, (name) => peers.remove(name));
    for (const name of args) printDryRun(context, await peers.planRemove(name));
    return 0;
  },
};
