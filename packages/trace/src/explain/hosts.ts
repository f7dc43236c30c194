/** Causes between hosts: what left this host and did not come to the peer, answers that did not return. Pure. */
import { commandLine } from '../command-line.ts';
import type { Conclusion, KnownHost, PeerHost } from '../model.ts';
import { isIn } from '../route-lookup.ts';
import {
  answers,
  type CauseFinder,
  containerWith,
  forward,
  namespaceOf,
  networksOf,
  notReached,
  placeName,
  type RemoteSide,
  type TraceCase,
} from './case.ts';

/** Whether the peer saw the probe. */
export const cameToPeer = ({ remote }: TraceCase): boolean =>
  remote?.trace?.evidence !== undefined && forward(remote.trace.evidence).length > 0;

/** `by ens33 as VXLAN to 10.0.0.2`; undefined when it was not seen leaving. */
function wayOut({ evidence, path: { end, hops } }: TraceCase): string | undefined {
  if (evidence === undefined || end.kind !== 'left') return undefined;
  const out = forward(evidence).find(({ link, direction }) => link === end.link && direction === 'out');
  if (out === undefined) return undefined;
  const isTunnelled = hops.some(({ kind }) => kind === 'tunnel');
  return `by ${end.link}${isTunnelled ? ' as VXLAN' : ''} to ${out.outer?.destination ?? end.nextHop}`;
}

/** The packet left this host for a peer that was asked, and one of the two directions ends between the hosts. */
export function betweenHosts(trace: TraceCase): Conclusion | undefined {
  const { evidence, remote, path } = trace;
  const way = wayOut(trace);
  if (evidence === undefined || remote?.trace?.evidence === undefined || way === undefined) return undefined;
  if (evidence.probe.outcome === 'answered' || answers(evidence).length > 0) return undefined;
  const [here, there] = [placeName(trace, path.end.namespaceId), remote.peer.name];
  if (!cameToPeer(trace)) {
    const tooLong = longerThanLink(trace, remote.trace);
    if (tooLong) return tooLong;
    return notReached('lost-between-hosts', `Left ${here} ${way}, and did not come to ${there}.`, {
      fix: `let ${whatPasses(trace)} from ${here} to ${there} pass whatever is between them`,
    });
  }
  const back = answers(remote.trace.evidence).findLast(
    ({ direction, namespaceId }) => direction === 'out' && isHostOf(remote.trace, namespaceId),
  );
  if (back === undefined) return undefined;
  return notReached(
    'answer-lost-between-hosts',
    `Answered, but what ${there} sends back by ${back.link} does not come to ${here}.`,
    { fix: `let ${whatPasses(trace)} from ${there} to ${here} pass whatever is between them` },
  );
}

/** Interfaces of one network segment have one MTU: the shorter one discards longer packets without ICMP. */
function longerThanLink(trace: TraceCase, there: TraceCase): Conclusion | undefined {
  const { end } = trace.path;
  const own =
    end.kind === 'left' ? namespaceOf(trace, end.namespaceId)?.links.find(({ name }) => name === end.link) : undefined;
  const [first] = there.path.hops;
  const theirs = namespaceOf(there, first?.namespaceId ?? '')?.links.find(({ name }) => name === first?.name);
  if (own === undefined || theirs === undefined || theirs.mtu >= own.mtu || trace.request.size === undefined)
    return undefined;
  const [here, peer] = [trace.topology.hostName, there.topology.hostName];
  return notReached(
    'mtu-black-hole',
    `Packets over ${theirs.mtu} bytes vanish between ${here}'s ${own.name} (${own.mtu}) and ${peer}'s ${theirs.name} (${theirs.mtu}): their MTUs differ.`,
    { host: peer, grade: 'inferred', fix: commandLine`ip link set ${theirs.name} mtu ${own.mtu}` },
  );
}

const isHostOf = (there: TraceCase | undefined, id: string): boolean =>
  there?.topology.namespaces.find((namespace) => namespace.id === id)?.isHost === true;

function whatPasses({ path: { hops }, packet: { protocol, destinationPort } }: TraceCase): string {
  if (hops.some(({ kind }) => kind === 'tunnel')) return 'UDP to port 4789';
  return destinationPort === undefined ? protocol : `${protocol} to port ${destinationPort}`;
}

/** The packet left this host, and nothing came back: no other host observed it. */
export const leftHost = (trace: TraceCase): Conclusion | undefined => {
  const { evidence, remote, path } = trace;
  const way = wayOut(trace);
  if (evidence === undefined || way === undefined || evidence.probe.outcome === 'answered') return undefined;
  if (answers(evidence).length > 0 || cameToPeer(trace)) return undefined;
  const why = remote?.problem === undefined ? '' : `; ${remote.peer.name} could not be asked: ${remote.problem}`;
  return {
    outcome: 'unknown',
    cause: 'left-host',
    grade: 'observed',
    sentence: `Left ${placeName(trace, path.end.namespaceId)} ${way}; no answer came back${why}.`,
    fix:
      remote?.hint ??
      `trace on the next host, or capture there: netyard capture uplink host ${trace.packet.destination}`,
  };
};

/** Of rules of Netyard's own table that drop packets of unknown senders. */
const unknownSenderComments: readonly (string | undefined)[] = [
  ...['neither published nor linked', 'not from a peer', "no peer's subnet"],
];

/** Seen on the peer: Netyard's firewall there does not know the sender, or keeps peers from the network. */
export const unknownToPeer: CauseFinder = (trace) => {
  const { topology, packet, remote, evidence } = trace;
  const there = remote?.trace;
  const verdict = there?.evidence?.verdicts.find(({ verdict: kind }) => kind === 'drop' || kind === 'reject');
  const { source } = packet;
  if (remote === undefined || there === undefined || source === undefined || evidence?.probe.outcome === 'answered')
    return undefined;
  if (verdict?.table !== 'netyard' || verdict.isAnswer || !unknownSenderComments.includes(verdict.comment))
    return undefined;
  const subnets = topology.networks.flatMap((network) => network.subnets.map(({ subnet }) => subnet));
  const own = subnets.find((subnet) => isIn(source, subnet));
  if (own === undefined) return undefined;
  const known = remote.knownHosts.find((host) => host.subnets.some((subnet) => isIn(source, subnet)));
  return known === undefined
    ? noPeerThere(trace, remote, own)
    : (otherAddress(trace, remote, known, own) ?? networkWithoutPeers(there));
};

/** By the same way: the tunnel's reverse path filter drops packets whose answers would take another. */
const addThisHost = ({ topology }: TraceCase, { path }: PeerHost, subnet: string): string =>
  commandLine`netyard peer add ${topology.hostName} --address ${path?.local ?? 'ADDRESS'} --subnet ${subnet}` +
  (path?.kind === 'vxlan' ? ' --via vxlan' : '');

const noPeerThere = (trace: TraceCase, { peer }: RemoteSide, subnet: string): Conclusion =>
  notReached(
    'unknown-to-peer',
    `Dropped at ${peer.name}: it has no peer with the subnet ${subnet} of ${trace.packet.source}.`,
    { host: peer.name, fix: addThisHost(trace, peer, subnet) },
  );

function otherAddress(
  trace: TraceCase,
  { peer }: RemoteSide,
  known: KnownHost,
  subnet: string,
): Conclusion | undefined {
  const { local } = peer.path ?? {};
  if (local === undefined || known.address === local) return undefined;
  return notReached(
    'other-address-at-peer',
    `Dropped at ${peer.name}: it knows ${subnet} as peer ${known.name} at ${known.address}, but the packet comes from ${local}.`,
    { host: peer.name, fix: `${commandLine`netyard peer rm ${known.name}`} && ${addThisHost(trace, peer, subnet)}` },
  );
}

function networkWithoutPeers(there: TraceCase): Conclusion | undefined {
  const [network] = networksOf(there, containerWith(there, there.path.end.packet.destination));
  const { hostName } = there.topology;
  const isOpen = network?.driver !== 'bridge' || network.name === 'bridge';
  if (isOpen || network.options['netyard.peers'] === 'accept') return undefined;
  return notReached(
    'network-without-peers',
    `Dropped at ${hostName}: network ${network.name} does not accept packets of peers.`,
    {
      host: hostName,
      fix: 'netyard network create -o netyard.peers=accept NAME, and connect the container to it',
    },
  );
}
