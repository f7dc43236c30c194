/** What the explanation of a trace is made from, and questions about it that several causes share. Pure. */
import type { EngineKind, HostContainer, HostNamespace, HostNetwork, HostTopology } from '@netyard/topology';
import { commandLine } from '../command-line.ts';
import type {
  Conclusion,
  KnownHost,
  Observed,
  PeerHost,
  PredictedPath,
  Sighting,
  TraceEnd,
  TraceEvidence,
  TracePacket,
  TraceRequest,
} from '../model.ts';
import { withoutLength } from '../route-lookup.ts';

/** How the sender resolved a name, when the request has one. */
export interface NameAnswer {
  name: string;
  addresses: string[];
  source: 'hosts file' | 'resolver';
}

export interface TraceCase {
  request: TraceRequest;
  topology: HostTopology;
  from: TraceEnd;
  to: TraceEnd;
  packet: TracePacket;
  path: PredictedPath;
  name?: NameAnswer;
  /** Undefined when only a prediction is asked for. */
  evidence?: TraceEvidence;
  /** What the evidence has. */
  observed?: Observed;
  /** The peer that the path leads to. */
  remote?: RemoteSide;
}

/** The part of a trace on a peer: a case of that host alone, in which the packet comes from outside. */
export interface RemoteSide {
  peer: PeerHost;
  /** Undefined when the peer could not be asked. */
  trace?: TraceCase;
  /** Why it could not be asked, or not completely. */
  problem?: string;
  /** What makes that it can be asked. */
  hint?: string;
  /** The hosts that the peer knows as its peers. */
  knownHosts: KnownHost[];
}

/** Finds one kind of cause, or nothing. */
export type CauseFinder = (trace: TraceCase) => Conclusion | undefined;

const engineCommands: Record<HostContainer['engine'], string> = {
  ...{ netyard: 'netyard', docker: 'docker', podman: 'podman', containerd: 'nerdctl', namespace: 'ip netns' },
};

/** The command of a container's engine. */
export const commandOf = (container: HostContainer): string => engineCommands[container.engine];

/** A command line of the container's engine. */
export const engineCommand = (container: HostContainer, ...words: readonly string[]): string =>
  [commandOf(container), ...words.map((word) => commandLine`${word}`)].join(' ');

/** Netyard publishes ports of a container that exists already; with other engines it has to be run again. */
export const publishCommand = (container: HostContainer, port: number, protocol: string): string =>
  container.engine === 'netyard'
    ? commandLine`netyard port add ${container.name} ${`${port}:${port}/${protocol}`}`
    : `${commandOf(container)} run -p ${port}:${port}/${protocol} … (${container.name})`;

export const nameOf = (end: TraceEnd): string => end.container?.name ?? end.namespace?.name ?? end.text;

/** `80/tcp`; only the protocol for icmp. */
export const portText = ({ protocol, destinationPort }: TracePacket): string =>
  destinationPort === undefined ? protocol : `${destinationPort}/${protocol}`;

/** `10.0.0.2:80`, `[fd00::2]:80`, or the address alone. */
export function endpointText({ destination, destinationPort }: TracePacket): string {
  const address = destination.includes(':') && destinationPort !== undefined ? `[${destination}]` : destination;
  return destinationPort === undefined ? address : `${address}:${destinationPort}`;
}

export const namespaceOf = ({ topology }: Pick<TraceCase, 'topology'>, id: string): HostNamespace | undefined =>
  topology.namespaces.find((namespace) => namespace.id === id);

/** `host1` for the host's namespace, otherwise the name of the container. */
export function placeName({ topology }: TraceCase, namespaceId: string): string {
  const namespace = topology.namespaces.find(({ id }) => id === namespaceId);
  if (namespace === undefined) return `net:[${namespaceId}]`;
  return namespace.isHost ? topology.hostName : namespace.name;
}

/** The container that has an address. */
export const containerWith = ({ topology }: TraceCase, address: string): HostContainer | undefined =>
  topology.containers.find(({ attachments }) =>
    attachments.some(({ addresses }) => addresses.some((own) => withoutLength(own) === address)),
  );

/** The container that the probe is for: named, or behind the address or the published port. */
export function targetContainer(trace: TraceCase): HostContainer | undefined {
  if (trace.to.container) return trace.to.container;
  const last = trace.path.end;
  return containerWith(trace, last.packet.destination) ?? containerWith(trace, trace.packet.destination);
}

const sameEngine = (networks: readonly HostNetwork[], engine: EngineKind, name: string): HostNetwork | undefined =>
  networks.find((network) => network.engine === engine && network.name === name);

/** The networks of a container, of those that its engine reports. */
export function networksOf({ topology }: TraceCase, container: HostContainer | undefined): HostNetwork[] {
  const { engine } = container ?? {};
  if (container === undefined || engine === undefined || engine === 'namespace') return [];
  return container.attachments
    .map(({ network }) => sameEngine(topology.networks, engine, network))
    .filter((network) => network !== undefined);
}

/** The network of which an interface of the host is the bridge. */
export const networkOfLink = ({ topology }: TraceCase, link: string | undefined): HostNetwork | undefined =>
  link === undefined ? undefined : topology.networks.find((network) => network.link === link);

export const forward = (evidence: TraceEvidence): Sighting[] => evidence.sightings.filter(({ isAnswer }) => !isAnswer);
export const answers = (evidence: TraceEvidence): Sighting[] => evidence.sightings.filter(({ isAnswer }) => isAnswer);

/** Whether a packet was seen on a port of a bridge, which may forward it without taking it. */
export function isBridgePort(trace: TraceCase, { namespaceId, link }: Sighting): boolean {
  const links = namespaceOf(trace, namespaceId)?.links ?? [];
  const master = links.find(({ name }) => name === link)?.masterIndex;
  return master !== undefined && links.some(({ index, kind }) => index === master && kind === 'bridge');
}

/** Growth of a counter in a namespace while the probe was on its way; 0 if it did not grow. */
export function growthOf(trace: TraceCase, namespaceId: string, counter: string | RegExp): number {
  const changes = trace.evidence?.counters ?? [];
  const matches = (name: string): boolean => (typeof counter === 'string' ? name === counter : counter.test(name));
  return changes
    .filter((change) => change.namespaceId === namespaceId && matches(change.counter))
    .reduce((sum, { change }) => sum + change, 0);
}

export const notReached = (cause: string, sentence: string, rest: Partial<Conclusion> = {}): Conclusion => ({
  ...{ outcome: 'not-reached', cause, sentence, grade: 'observed' },
  ...rest,
});

/** A command as it is run on the host for a namespace: `nsenter` for a container's. */
export function commandIn(trace: Pick<TraceCase, 'topology'>, namespaceId: string, command: string): string {
  const namespace = namespaceOf(trace, namespaceId);
  return namespace === undefined || namespace.isHost
    ? command
    : `${commandLine`nsenter --net=${namespace.path}`} ${command}`;
}

/** Connects a container to a network of its engine that leads outside, if there is one. */
export function connectToOpenNetwork({ topology, from }: TraceCase): string {
  const { container } = from;
  if (container === undefined) return `attach ${from.text} to a network that is not internal`;
  // dockerd lists its networks in any order.
  const [open = 'bridge'] = topology.networks
    .filter(({ engine, driver, internal }) => engine === container.engine && driver === 'bridge' && !internal)
    .map(({ name }) => name)
    .filter((name) => name !== 'bridge')
    .sort();
  return engineCommand(container, 'network', 'connect', open, container.name);
}
