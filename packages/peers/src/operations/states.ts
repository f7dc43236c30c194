/** Reports the states of peers: desired objects compared with those found in the kernel. */
import type { Kernel, KernelObject, Observation } from '@netyard/kernel';
import type { PeerState } from '../contract.ts';
import { outerFamilyOf } from '../outer-family.ts';
import { hasIpv6 } from '../plan.ts';
import type { Peer, PeerTable } from '../table.ts';
import type { Tunnels } from '../tunnel.ts';
import { planOf } from './objects.ts';
import { noTraffic, type PeerTrafficDependencies, sampleTraffic, type Traffic } from './traffic.ts';

/** Dependencies of the functions in this file. */
export interface PeerStatesDependencies extends PeerTrafficDependencies {
  readonly kernel: Kernel;
  readonly peers: PeerTable;
  tunnels: Tunnels;
}

/** All peers, with a single observation of the kernel; rejected peers of the cluster come last. */
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

interface Snapshot {
  found: ReadonlyMap<KernelObject, Observation | undefined>;
  /** The settings that forward packets of each family, and are off. */
  off: { ipv4: string | undefined; ipv6: string | undefined };
  tunnels: Tunnels;
  traffic: ReadonlyMap<string, Traffic>;
}

async function statesOf(context: PeerStatesDependencies, peers: readonly Peer[]): Promise<PeerState[]> {
  if (peers.length === 0) return [];
  const plans = peers.map((peer) => ({ peer, objects: planOf(context, peer) }));
  const all = plans.flatMap(({ objects }) => objects);
  const observations = await context.kernel.observe(all);
  const snapshot: Snapshot = {
    found: new Map(all.map((object, index) => [object, observations[index]])),
    off: {
      ipv4: await ifOff(context, 'net.ipv4.ip_forward'),
      ipv6: peers.some(({ record }) => hasIpv6(record))
        ? await ifOff(context, 'net.ipv6.conf.all.forwarding')
        : undefined,
    },
    tunnels: context.tunnels,
    traffic: await sampleTraffic(context),
  };
  return plans.map(({ peer, objects }) => compare(peer, objects, snapshot));
}

/** The key if its value is 0. */
const ifOff = async ({ kernel }: PeerStatesDependencies, key: string): Promise<string | undefined> =>
  (await kernel.readSysctl(key)).trim() === '0' ? key : undefined;

function compare(peer: Peer, objects: readonly KernelObject[], snapshot: Snapshot): PeerState {
  const { record, origin, path } = peer;
  const isPresent = (object: KernelObject): boolean => snapshot.found.get(object)?.state === 'present';
  const routes = record.subnets.map((subnet) => ({
    subnet,
    present: objects.some((object) => object.kind === 'route' && object.to === subnet && isPresent(object)),
  }));
  const open = path !== undefined && objects.every((object) => !isAllowElement(object) || isPresent(object));
  const { packets, lastSeen } = snapshot.traffic.get(record.name) ?? noTraffic;
  return {
    ...{ record, origin, routes, open, packets },
    ...(path ? { path } : {}),
    ...(lastSeen === undefined ? {} : { lastSeen }),
    problems: problemsOf(
      peer,
      objects.filter((object) => !isPresent(object)),
      snapshot,
    ),
  };
}

function problemsOf(
  { record, path, problem }: Peer,
  missing: readonly KernelObject[],
  { off, tunnels }: Snapshot,
): string[] {
  const tunnel = tunnels[outerFamilyOf(record.address)];
  const hasOtherSource = path?.kind === 'vxlan' && tunnel !== undefined && tunnel.local !== path.local;
  return [
    ...(problem === undefined ? [] : [problem]),
    ...new Set(missing.flatMap((object) => describeMissing(object) ?? [])),
    ...(hasOtherSource
      ? [`the tunnel's source address is ${tunnel.local}, but the peer expects ${path.local}, from which it is reached`]
      : []),
    ...[off.ipv4, hasIpv6(record) ? off.ipv6 : undefined].flatMap((key) =>
      key === undefined ? [] : [`this host does not forward packets: ${key} is 0`],
    ),
  ];
}

/** Whether the element accepts the peer's packets; elements of other sets translate and count. */
const isAllowElement = (object: KernelObject): boolean =>
  object.kind === 'nft-element' &&
  (object.set === 'tunnel_peers' || object.set === 'tunnel_subnets' || object.set.startsWith('peer_ingress'));

function describeMissing(object: KernelObject): string | undefined {
  if (isAllowElement(object)) return 'its packets are dropped: an element of a set is missing';
  if (object.kind === 'nft-element') return `an element of the set ${object.set} is missing`;
  if (object.kind === 'route') return `the route to ${object.to} is missing`;
  if (object.kind === 'fdb') return `the tunnel's forwarding entry for ${object.remote} is missing`;
  return object.kind === 'neighbour' ? `the tunnel's neighbour ${object.address} is missing` : undefined;
}
