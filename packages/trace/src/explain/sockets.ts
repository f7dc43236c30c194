/** Causes at the target's end: nothing listens there, or not on this address. Pure. */
import type { HostNamespace, ListeningSocket } from '@netyard/topology';
import type { Conclusion, PathEnd } from '../model.ts';
import { publishedOn } from '../published.ts';
import {
  answers,
  type CauseFinder,
  commandOf,
  containerWith,
  endpointText,
  forward,
  growthOf,
  isBridgePort,
  nameOf,
  namespaceOf,
  notReached,
  placeName,
  portText,
  publishCommand,
  type TraceCase,
} from './case.ts';

type Delivered = Extract<PathEnd, { kind: 'delivered' }>;

/** A port of the host that no engine publishes and no program listens on; or published on another address only. */
export const notPublished: CauseFinder = (trace) => {
  const { end } = trace.path;
  if (end.kind !== 'delivered' || end.socket !== undefined) return undefined;
  const namespace = namespaceOf(trace, end.namespaceId);
  if (!namespace?.isHost || trace.to.container !== undefined || wasAnswered(trace)) return undefined;
  const port = portText(end.packet);
  if (end.packet.destinationPort === undefined) return undefined;
  const [other] = publishedOn(trace.topology, end.packet);
  const place = placeName(trace, namespace.id);
  const grade = trace.evidence ? 'observed' : 'predicted';
  if (other !== undefined) {
    const { container, port: published } = other;
    return notReached(
      'published-elsewhere',
      `Stopped at ${place}: ${port} of ${container.name} is published on ${published.hostAddress} only.`,
      {
        grade,
        fix: `${commandOf(container)} run -p ${published.hostPort}:${published.containerPort}/${published.protocol} … (without ${published.hostAddress})`,
      },
    );
  }
  const candidate = trace.topology.containers.find(
    (container) => container.state === 'running' && container.exposed.includes(port),
  );
  const example =
    candidate === undefined
      ? `netyard run -p ${end.packet.destinationPort}:PORT …`
      : publishCommand(candidate, end.packet.destinationPort, end.packet.protocol);
  return notReached('not-published', `Stopped at ${place}: nothing publishes or listens on ${port}.`, {
    grade,
    fix: example,
  });
};

const wasAnswered = ({ evidence }: TraceCase): boolean => evidence?.probe.outcome === 'answered';

/** The packet arrived, and nothing takes it there. */
export const noListener: CauseFinder = (trace) => {
  const { end } = trace.path;
  if (end.kind !== 'delivered' || end.socket !== undefined || wasAnswered(trace)) return undefined;
  const namespace = namespaceOf(trace, end.namespaceId);
  if (namespace === undefined || end.packet.destinationPort === undefined) return undefined;
  if (trace.evidence && !arrivedAt(trace, namespace.id)) return undefined;
  return describeListeners(trace, namespace, end);
};

/**
 * Whether a namespace took the probe from one of its interfaces. What only a port of a bridge received passes on that
 * bridge, which takes it if the MAC is its own. A packet between processes of one namespace needs no link.
 */
export function arrivedAt(trace: TraceCase, namespaceId: string): boolean {
  const { evidence, from } = trace;
  if (evidence === undefined || from.namespace?.id === namespaceId) return true;
  return forward(evidence).some(
    (seen) =>
      seen.namespaceId === namespaceId && seen.direction === 'in' && !seen.otherHost && !isBridgePort(trace, seen),
  );
}

function describeListeners(trace: TraceCase, namespace: HostNamespace, { packet, namespaceId }: Delivered): Conclusion {
  const container = containerWith(trace, packet.destination) ?? trace.to.container;
  const name = container?.name ?? placeName(trace, namespaceId);
  const grade = trace.evidence ? 'observed' : 'predicted';
  const same = namespace.sockets.filter(
    ({ protocol, port }) => protocol === packet.protocol && port === packet.destinationPort,
  );
  const isSix = packet.destination.includes(':');
  const v6only = same.find((socket) => socket.address === '::' && socket.v6only);
  if (v6only !== undefined && !isSix) {
    return notReached(
      'other-family',
      `Reached ${name} by IPv4; ${processText(v6only)} listens on [::]:${v6only.port} with v6only.`,
      {
        grade,
        fix: `let ${processText(v6only)} listen on 0.0.0.0:${v6only.port} as well, or use the IPv6 address`,
      },
    );
  }
  const [bound] = same;
  if (bound !== undefined) {
    const where = bound.address.includes(':') ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`;
    return notReached('bound-elsewhere', `Reached ${name}, but ${processText(bound)} listens on ${where} only.`, {
      grade,
      fix: `let ${processText(bound)} in ${name} listen on ${isSix ? '[::]' : '0.0.0.0'}:${bound.port}`,
    });
  }
  const others = namespace.sockets.filter(
    ({ protocol, address }) => protocol === packet.protocol && !isResolver(address),
  );
  const ports = [...new Set(others.map(({ port }) => port))].sort((a, b) => a - b).slice(0, 4);
  const hint =
    ports.length === 0
      ? ''
      : ` (${ports.map((port) => `${port}/${packet.protocol}`).join(', ')} ${ports.length === 1 ? 'does' : 'do'})`;
  const [first] = ports;
  return notReached('no-listener', `Reached ${name}, but nothing listens on ${portText(packet)} there${hint}.`, {
    grade,
    fix:
      first === undefined
        ? `start the program in ${name} that should listen on ${portText(packet)}`
        : `use port ${first}, or let the program listen on ${portText(packet)}`,
  });
}

/** Docker's and Netyard's name servers at 127.0.0.11 listen in each container. */
const isResolver = (address: string): boolean => address === '127.0.0.11';

const processText = ({ process }: ListeningSocket): string => process?.name ?? 'the program';

/** The listener takes no more connections: its queue is full. */
export const acceptQueueFull: CauseFinder = (trace) => {
  const { end } = trace.path;
  if (end.kind !== 'delivered' || end.socket === undefined || end.packet.protocol !== 'tcp') return undefined;
  const { waiting, backlog } = end.socket;
  const overflows = growthOf(
    trace,
    end.namespaceId,
    /^TcpExt\.?(ListenOverflows|ListenDrops)$|^Listen(Overflows|Drops)$/,
  );
  if (waiting <= backlog && overflows === 0) return undefined;
  if (wasAnswered(trace) && overflows === 0) return undefined;
  const name = nameOf(trace.to);
  return notReached(
    'accept-queue-full',
    `${name}'s listener on ${portText(end.packet)} has ${waiting} of ${backlog} connections waiting: ${processText(end.socket)} does not accept them.`,
    {
      fix: `find out why ${processText(end.socket)} in ${name} is busy or stopped`,
    },
  );
};

/** The packet arrived where it should, and no answer left. What was not observed may be why. */
export const noAnswer: CauseFinder = (trace) => {
  const { end } = trace.path;
  const { evidence } = trace;
  if (evidence === undefined || end.kind !== 'delivered' || wasAnswered(trace)) return undefined;
  if (!arrivedAt(trace, end.namespaceId)) return undefined;
  const left = answers(evidence).some((seen) => seen.namespaceId === end.namespaceId && seen.direction === 'out');
  if (left) return undefined;
  const name = placeName(trace, end.namespaceId);
  if (trace.packet.protocol === 'udp') {
    return {
      outcome: 'unknown',
      cause: 'no-reply',
      grade: 'observed',
      sentence: `Reached ${processNameAt(end)} in ${name}, which did not answer; with UDP that may be right.`,
    };
  }
  const [unseen] = evidence.incomplete;
  if (unseen !== undefined) {
    return {
      ...{ outcome: 'unknown', cause: 'swallowed', grade: 'inferred' },
      sentence: `Reached ${name}, and no answer was seen, but neither was all that happened there: ${unseen}.`,
    };
  }
  return notReached('swallowed', `Reached ${name}, which received the packet and did not answer.`, {
    grade: 'inferred',
    fix: `look at firewall rules and sysctls inside ${name}: netyard diagnose ${name}`,
  });
};

/** The target, or a firewall in its place, said that it takes no connection. */
export const refused: CauseFinder = (trace) => {
  const { evidence, packet } = trace;
  if (evidence?.probe.outcome !== 'refused') return undefined;
  const { reportedBy } = evidence.probe;
  const by = reportedBy === undefined ? `${endpointText(packet)} by RST` : `${reportedBy} by ICMP`;
  return notReached(
    'refused',
    `Refused by ${by}: nothing listens on ${portText(packet)} there, or a firewall rejects it.`,
    {
      fix: `start the program that should listen on ${endpointText(packet)}, or look at the firewall there`,
    },
  );
};

const processNameAt = ({ socket, packet }: Delivered): string =>
  socket?.process?.name ?? `the program on ${portText(packet)}`;
