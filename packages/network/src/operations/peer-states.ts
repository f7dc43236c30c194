/** Peers told of: what is wanted and what is found, side by side. */
import type { Kernel, KernelObject, Observation } from '@netyard/kernel';
import type { PeerState } from '../contract.ts';
import type { Peer, PeerTable } from '../peers/table.ts';
import type { Tunnel } from '../tunnel.ts';
import { planOf } from './peer-objects.ts';
import type { PeerTrafficDependencies } from './peer-traffic.ts';
import { noTraffic, sampleTraffic, type Traffic } from './peer-traffic.ts';

/** What the functions of this file work on. */
export interface PeerStatesDependencies extends PeerTrafficDependencies {
  readonly kernel: Kernel;
  readonly peers: PeerTable;
  tunnel: Tunnel | undefined;
}

/** All of them, in one look at the kernel; those of the cluster that are refused come last. */
export async function listPeers(context: PeerStatesDependencies): Promise<PeerState[]> {
  const refused = [...context.peers.refused.values()].map(
    ({ record, problem }): Peer => ({ record, origin: 'cluster', problem }),
  );
  return await statesOf(context, [...context.peers.values(), ...refused]);
}

export async function stateOf(context: PeerStatesDependencies, peer: Peer): Promise<PeerState> {
  const [state] = await statesOf(context, [peer]);
  if (state) return state;
  throw new RangeError('every peer has a state');
}

interface Look {
  found: ReadonlyMap<KernelObject, Observation | undefined>;
  forwards: boolean;
  tunnel: Tunnel | undefined;
  traffic: ReadonlyMap<string, Traffic>;
}

async function statesOf(context: PeerStatesDependencies, peers: readonly Peer[]): Promise<PeerState[]> {
  if (peers.length === 0) return [];
  const plans = peers.map((peer) => ({ peer, objects: planOf(peer) }));
  const all = plans.flatMap(({ objects }) => objects);
  const observations = await context.kernel.observe(all);
  const look: Look = {
    found: new Map(all.map((object, index) => [object, observations[index]])),
    forwards: (await context.kernel.readSysctl('net.ipv4.ip_forward')).trim() === '1',
    tunnel: context.tunnel,
    traffic: await sampleTraffic(context),
  };
  return plans.map(({ peer, objects }) => compare(peer, objects, look));
}

function compare(peer: Peer, objects: readonly KernelObject[], look: Look): PeerState {
  const { record, origin, path } = peer;
  const isThere = (object: KernelObject): boolean => look.found.get(object)?.state === 'present';
  const routes = record.subnets.map((subnet) => ({
    subnet,
    present: objects.some((object) => object.kind === 'route' && object.to === subnet && isThere(object)),
  }));
  const open = path !== undefined && objects.every((object) => !letsIn(object) || isThere(object));
  const { packets, lastSeen } = look.traffic.get(record.name) ?? noTraffic;
  return {
    ...{ record, origin, routes, open, packets },
    ...(path ? { path } : {}),
    ...(lastSeen === undefined ? {} : { lastSeen }),
    problems: problemsOf(
      peer,
      objects.filter((object) => !isThere(object)),
      look,
    ),
  };
}

function problemsOf({ path, problem }: Peer, missing: readonly KernelObject[], { forwards, tunnel }: Look): string[] {
  const elsewhere = path?.kind === 'vxlan' && tunnel !== undefined && tunnel.local !== path.local;
  return [
    ...(problem === undefined ? [] : [problem]),
    ...new Set(missing.flatMap((object) => missingWords(object) ?? [])),
    ...(elsewhere
      ? [`the tunnel sends from ${tunnel.local}, but the peer, reached from ${path.local}, knows us by that address`]
      : []),
    ...(forwards ? [] : ['this host does not forward: net.ipv4.ip_forward is 0']),
  ];
}

/** The other elements translate and count. */
const letsIn = (object: KernelObject): boolean =>
  object.kind === 'nft-element' && (object.set === 'tunnel_peers' || object.set.startsWith('peer_paths'));

function missingWords(object: KernelObject): string | undefined {
  if (letsIn(object)) return 'its packets are not let in: an element of a set is missing';
  if (object.kind === 'nft-element') return `an element of the set ${object.set} is missing`;
  if (object.kind === 'route') return `the route to ${object.to} is missing`;
  if (object.kind === 'fdb') return `the tunnel's forwarding entry for ${object.remote} is missing`;
  return object.kind === 'neighbour' ? `the tunnel's neighbour ${object.address} is missing` : undefined;
}
