/** Finds what the ends of a trace mean: containers of any engine, the host, namespaces, addresses, outside. Pure. */
import { NetyardError, tryParseIp } from '@netyard/core';
import type { HostContainer, HostNamespace, HostTopology } from '@netyard/topology';
import type { TraceEnd } from './model.ts';
import { outsideEnd } from './outside.ts';
import { isIn, withoutLength } from './route-lookup.ts';

/** The shortest prefix of a container's id that is taken for an id. */
const minIdLength = 4;

/**
 * Undefined for a text that is none of these; it may be a name that the sender resolves. Throws `conflict` when containers
 * of several engines have the name.
 */
export function findEnd(topology: HostTopology, text: string): TraceEnd | undefined {
  const container = findContainer(topology, text);
  if (container) return endOf(topology, text, container);
  const namespace = topology.namespaces.find(({ name, isHost }) => (text === 'host' ? isHost : name === text));
  if (namespace) return { text, namespace, addresses: addressesIn(namespace) };
  if (text === 'outside') return outsideEnd(text, topology);
  return tryParseIp(text) === undefined ? undefined : { text, addresses: [text] };
}

function endOf(topology: HostTopology, text: string, container: HostContainer): TraceEnd {
  const namespace = topology.namespaces.find(({ id }) => id === container.namespaceId);
  const attached = container.attachments.flatMap(({ addresses }) => addresses).map(withoutLength);
  const addresses = attached.length > 0 || namespace === undefined ? attached : addressesIn(namespace);
  return { text, container, ...(namespace ? { namespace } : {}), addresses };
}

/** Addresses that other namespaces can reach: no loopback, no link-local ones. */
const addressesIn = ({ links }: HostNamespace): string[] =>
  links
    .filter(({ name }) => name !== 'lo')
    .flatMap(({ addresses }) => addresses)
    .map(withoutLength)
    .filter((address) => !/^(127\.|169\.254\.|fe[89ab]|::1$)/.test(address));

function findContainer(topology: HostTopology, text: string): HostContainer | undefined {
  const [, engine, name = text] = /^(netyard|docker|podman|containerd)\/(.+)$/.exec(text) ?? [];
  const candidates = topology.containers.filter((container) => engine === undefined || container.engine === engine);
  const named = candidates.filter((container) => container.name === name);
  const found =
    named.length > 0 || name.length < minIdLength ? named : candidates.filter(({ id }) => id.startsWith(name));
  if (found.length > 1) {
    const options = found.map((container) => `${container.engine}/${container.name}`).join(', ');
    throw new NetyardError('conflict', `several containers match ${text}: ${options}`, {
      hint: 'write the engine before the name, or a longer part of the id',
    });
  }
  return found[0];
}

/** Addresses that a hosts(5) file gives for a name; lines that begin with anything else are left out, as glibc does. */
export function addressesInHostsFile(content: string, name: string): string[] {
  const key = name.toLowerCase();
  return content.split('\n').flatMap((line) => {
    const [address, ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    const isAddress = address !== undefined && tryParseIp(address) !== undefined;
    return isAddress && names.some((own) => own.toLowerCase() === key) ? [address] : [];
  });
}

/**
 * The address that the probe is sent to: of the requested family if there is one, in a subnet that the sender is in if there
 * is one, otherwise the first.
 */
export function chooseAddress(
  sender: HostNamespace,
  candidates: readonly string[],
  family: 4 | 6 | undefined,
): string | undefined {
  const usable = candidates.filter((address) => family === undefined || (address.includes(':') ? 6 : 4) === family);
  const shared = usable.find((address) => sender.routes.some((route) => isOnLink(route.to, route.via, address)));
  return shared ?? usable.find((address) => !address.includes(':')) ?? usable[0];
}

function isOnLink(to: string, via: string | undefined, address: string): boolean {
  return via === undefined && to !== 'default' && to.includes('/') && isIn(address, to);
}
