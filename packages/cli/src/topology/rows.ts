/** Rows of `netyard topology`. Pure. */
import type { HostContainer, HostEngine, HostNamespace, HostTopology } from '@netyard/topology';
import { portsText } from '../format/containers.ts';
import { oneLine } from '../format/escape.ts';
import type { Listing, Row } from '../format/listing.ts';

export const topologyListing: Listing = {
  headers: {
    Host: 'HOST',
    Engine: 'ENGINE',
    Name: 'NAME',
    State: 'STATE',
    Network: 'NETWORK',
    Addresses: 'ADDRESSES',
    Ports: 'PORTS',
    ID: 'ID',
    Image: 'IMAGE',
  },
  columns: ['Host', 'Engine', 'Name', 'State', 'Network', 'Addresses', 'Ports'],
  quiet: 'Name',
  typeName: 'container',
};

/** By engine and name; namespaces of no engine are last. */
export function topologyRows({ hostName, containers, namespaces }: HostTopology): Row[] {
  const byId = new Map(namespaces.map((namespace) => [namespace.id, namespace]));
  return [...containers].sort(compareContainers).map((container) => ({
    Host: hostName,
    Engine: engineText(container),
    Name: oneLine(container.name),
    State: stateText(container),
    Network: oneLine(networkText(container)),
    Addresses: addressesOf(container, byId.get(container.namespaceId ?? '')).join(', '),
    Ports: portsText(
      container.ports.map(({ protocol, hostAddress, hostPort, containerPort }) => ({
        ...{ IP: hostAddress, PublicPort: hostPort, PrivatePort: containerPort, Type: protocol },
      })),
    ),
    ID: oneLine(container.id.slice(0, 12)),
    Image: oneLine(container.image ?? ''),
  }));
}

/** `docker`; `docker (user 1000)` for a user's own engine. */
function engineText({ engine, owner }: HostContainer): string {
  if (engine === 'namespace') return '-';
  if (owner === undefined) return engine;
  return `${engine} (${typeof owner === 'number' ? `user ${owner}` : owner})`;
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const compareContainers = (a: HostContainer, b: HostContainer): number =>
  Number(a.engine === 'namespace') - Number(b.engine === 'namespace') ||
  order(a.engine, b.engine) ||
  order(a.name, b.name);

const stateText = ({ state, exitCode }: HostContainer): string =>
  exitCode === undefined ? state : `${state} (${exitCode})`;

const networkText = ({ attachments, networkMode }: HostContainer): string =>
  attachments.map(({ network }) => network).join(', ') || (networkMode ?? '');

/** What the engine reports; else what its own namespace has, without loopback and link-local addresses. */
function addressesOf({ attachments }: HostContainer, namespace: HostNamespace | undefined): string[] {
  const reported = attachments.flatMap(({ addresses }) => addresses);
  if (reported.length > 0 || namespace === undefined || namespace.isHost) return reported.map(withoutLength);
  const links = namespace.links.filter(({ name }) => name !== 'lo');
  return links.flatMap(({ addresses }) => addresses.filter((prefix) => !/^fe[89ab]/.test(prefix))).map(withoutLength);
}

const withoutLength = (prefix: string): string => prefix.replace(/\/\d+$/, '');

/** `docker (/run/docker.sock): no answer within 2 s`; undefined for an engine without a problem. */
export const engineProblem = ({ kind, source, problem }: HostEngine): string | undefined =>
  problem === undefined ? undefined : `${kind} (${source}): ${problem}`;
