/** The peers of this host, and their parts of a trace, through the daemon here. */
import type { Duplex } from 'node:stream';
import type { Peer } from '@netyard/api-types';
import { isNetyardError, messageOf, NetyardError } from '@netyard/core';
import type { FlowSession, PeerHost, PeerTools } from '@netyard/trace';
import type { Context } from '../program/context.ts';

/** `converse`: of the package trace, which is loaded for a trace only. */
export const peerTools = (
  context: Pick<Context, 'client'>,
  converse: (stream: Duplex) => Promise<FlowSession>,
): PeerTools => ({
  list: async () => hostsOf(await listPeers(context)),
  ask: async ({ name }, { target, protocol, port }) => {
    try {
      return await converse(await context.client().traces.open({ peer: name, target, protocol, port }));
    } catch (error) {
      // A daemon's hint is in the lines behind its message.
      const [message = '', ...lines] = messageOf(error).split('\n');
      const hint = isNetyardError(error) && error.hint !== undefined ? error.hint : lines.join('; ');
      throw new NetyardError('unavailable', message, { ...(hint === '' ? {} : { hint }), cause: error });
    }
  },
});

/** None without a daemon of Netyard: the trace is of other engines' containers. */
async function listPeers({ client }: Pick<Context, 'client'>): Promise<Peer[]> {
  try {
    return await client().peers.list();
  } catch (error) {
    if (hasNoDaemon(error)) return [];
    throw error;
  }
}

const hasNoDaemon = (error: unknown): boolean => {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return code === 'ENOENT' || code === 'ECONNREFUSED' || isNetyardError(error, 'not-found');
};

/** One for each host: its parts of networks of a cluster are listed as peers of their own, `HOST/NETWORK`. */
function hostsOf(peers: readonly Peer[]): PeerHost[] {
  return peers
    .filter(({ Name }) => !Name.includes('/'))
    .map(({ Name, Address, Path }) => ({
      ...{ name: Name, address: Address },
      subnets: peers.filter((each) => each.Address === Address).flatMap(({ Subnets }) => Subnets),
      ...(Path === null ? {} : { path: wayOf(Path) }),
    }));
}

const wayOf = ({ Kind, Link, Uplink, Local, MTU }: NonNullable<Peer['Path']>): NonNullable<PeerHost['path']> => ({
  ...{ kind: Kind, link: Link, uplink: Uplink, local: Local, mtu: MTU },
});
