/** Finds what a user names: a container of any engine, a namespace, the host, or an address. Pure. */
import { formatIp, NetyardError, tryParseIp } from '@netyard/core';
import type { HostContainer, HostTopology, NamespaceLink } from './model.ts';
import type { NamespaceEntry } from './survey.ts';

export interface Target {
  /** Undefined for the host, and for a namespace that several containers share, named by its own name. */
  container?: HostContainer;
  /** Undefined when the container does not run, or when its namespace cannot be seen. */
  namespaceId?: string;
  /** Canonical, if an address was given. */
  address?: string;
}

/** A topology, or a survey: then addresses are only those that engines report. */
export interface SearchedHost extends Pick<HostTopology, 'containers'> {
  namespaces: readonly (NamespaceEntry & { links?: NamespaceLink[] })[];
}

/**
 * Looks for, and stops at the first that matches: `host`; `ENGINE/NAME`; a name or full id of a container, such as `web`; the
 * name, number or path of a namespace; the beginning of a container's id; an address. Several have the same name when
 * several engines have such a container.
 */
export function findTargets(host: SearchedHost, text: string): Target[] {
  const ip = tryParseIp(text);
  const searches = ip === undefined ? [byName, byNamespace, byIdPrefix] : [byAddress(formatIp(ip))];
  for (const search of searches) {
    const found = search(host, text);
    if (found.length > 0) return found;
  }
  return [];
}

/** Throws `not-found`, and `conflict` when several match, naming them. */
export function findTarget(host: SearchedHost, text: string): Target {
  const found = findTargets(host, text);
  const [target] = found;
  if (target === undefined)
    throw new NetyardError('not-found', `no container, namespace or address on this host is called ${text}`, {
      hint: 'run `netyard topology` to list all',
    });
  if (found.length === 1) return target;
  const names = found.map((each) => qualifiedName(host, each)).join(', ');
  throw new NetyardError('conflict', `${text} is ambiguous: ${names}`, { hint: 'name one of these' });
}

/** `docker/web`; for one without a container the namespace's name. */
export function qualifiedName(host: SearchedHost, { container, namespaceId }: Target): string {
  if (container !== undefined) return `${container.engine}/${container.name}`;
  return host.namespaces.find(({ id }) => id === namespaceId)?.name ?? `net:[${namespaceId}]`;
}

const ofContainer = (container: HostContainer): Target => ({
  container,
  ...(container.namespaceId === undefined ? {} : { namespaceId: container.namespaceId }),
});

function byName(host: SearchedHost, text: string): Target[] {
  if (text === 'host') return host.namespaces.filter(({ isHost }) => isHost).map(({ id }) => ({ namespaceId: id }));
  return host.containers
    .filter(({ engine, name, id }) => name === text || id === text || `${engine}/${name}` === text)
    .map(ofContainer);
}

function byNamespace({ containers, namespaces }: SearchedHost, text: string): Target[] {
  return namespaces
    .filter(({ id, path, name }) => [id, `net:[${id}]`, path, name].includes(text))
    .map(({ id }) => targetIn(containers, id));
}

/** The container whose namespace it is, if that is one. */
function targetIn(containers: readonly HostContainer[], namespaceId: string): Target {
  const [container, ...more] = containers.filter((each) => each.namespaceId === namespaceId);
  return container === undefined || more.length > 0 ? { namespaceId } : { container, namespaceId };
}

const byIdPrefix = ({ containers }: SearchedHost, text: string): Target[] =>
  /^[0-9a-f]{2,}$/.test(text) ? containers.filter(({ id }) => id.startsWith(text)).map(ofContainer) : [];

const byAddress =
  (address: string) =>
  ({ containers, namespaces }: SearchedHost): Target[] => {
    const has = (prefixes: readonly string[]): boolean => prefixes.some((prefix) => prefix.startsWith(`${address}/`));
    // Every namespace has the addresses of lo.
    const holders = namespaces.filter(({ links = [] }) =>
      links.some(({ name, addresses }) => name !== 'lo' && has(addresses)),
    );
    const inNamespaces = holders.map(({ id, isHost }) => (isHost ? { namespaceId: id } : targetIn(containers, id)));
    const known = new Set(holders.map(({ id }) => id));
    const reported = containers
      .filter(({ attachments }) => attachments.some(({ addresses }) => has(addresses)))
      .filter(({ namespaceId }) => namespaceId === undefined || !known.has(namespaceId))
      .map(ofContainer);
    return [...inNamespaces, ...reported].map((target) => ({ ...target, address }));
  };
