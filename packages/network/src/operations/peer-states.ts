/** Peers told of: what is wanted and what is found, side by side. */
import type { KernelObject, Observation } from '@netyard/kernel';
import type { Context } from '../context.ts';
import type { PeerState } from '../contract.ts';
import type { Peer } from '../peers/table.ts';
import { planOf } from './peer-objects.ts';

/** All of them, in one look at the kernel; those of the cluster that are refused come last. */
export async function listPeers(context: Context): Promise<PeerState[]> {
  const refused = [...context.peers.refused.values()].map(
    ({ record, problem }): Peer => ({ record, origin: 'cluster', problem }),
  );
  return await statesOf(context, [...context.peers.values(), ...refused]);
}

export async function stateOf(context: Context, peer: Peer): Promise<PeerState> {
  const [state] = await statesOf(context, [peer]);
  if (state) return state;
  throw new RangeError('every peer has a state');
}

async function statesOf(context: Context, peers: readonly Peer[]): Promise<PeerState[]> {
  if (peers.length === 0) return [];
  const plans = peers.map((peer) => ({ peer, objects: planOf(peer) }));
  const all = plans.flatMap(({ objects }) => objects);
  const observations = await context.kernel.observe(all);
  const found = new Map(all.map((object, index) => [object, observations[index]]));
  const forwards = (await context.kernel.readSysctl('net.ipv4.ip_forward')).trim() === '1';
  return plans.map(({ peer, objects }) => compare(peer, objects, found, forwards));
}

function compare(
  { record, origin, path, problem }: Peer,
  objects: readonly KernelObject[],
  found: ReadonlyMap<KernelObject, Observation | undefined>,
  forwards: boolean,
): PeerState {
  const isThere = (object: KernelObject): boolean => found.get(object)?.state === 'present';
  const routes = record.subnets.map((subnet) => ({
    subnet,
    present: objects.some((object) => object.kind === 'route' && object.to === subnet && isThere(object)),
  }));
  const open = path !== undefined && objects.every((object) => object.kind !== 'nft-element' || isThere(object));
  const problems = [
    ...(problem === undefined ? [] : [problem]),
    ...(path ? routes.filter(({ present }) => !present).map(({ subnet }) => `the route to ${subnet} is missing`) : []),
    ...(path && !open ? ['its packets are not let in: an element of the set peer_paths is missing'] : []),
    ...(forwards ? [] : ['this host does not forward: net.ipv4.ip_forward is 0']),
  ];
  return { record, origin, ...(path ? { path } : {}), routes, open, problems };
}
