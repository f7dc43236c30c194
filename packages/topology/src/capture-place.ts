/** Selects the interface on which to capture packets of a container, a namespace, the host or a network. Pure. */
import { NetyardError } from '@netyard/core';
import { findNetworks } from './explain/explain.ts';
import { joinedBridges } from './joined-bridges.ts';
import type { HostContainer, HostNamespace, HostTopology, NamespaceLink } from './model.ts';
import { findTarget, findTargets } from './targets.ts';

export interface CapturePlace {
  /** Path that opens the namespace. */
  ns: string;
  link: string;
  mac: string;
  /** With prefix length. */
  addresses: string[];
  /** `eth0 of container web of docker (9ccc2c59c9e3)` */
  description: string;
}

/**
 * `text`: a target of `findTarget`, a network, or `uplink`, which is the host. `link`: default the one with the default route, else the first with an address, else the first but lo. Undefined when
 * nothing has the name. Throws `conflict` for an ambiguous name, and for a container without a namespace here, `not-found` for
 * an unknown interface.
 */
export function findCapturePlace(host: HostTopology, text: string, link?: string): CapturePlace | undefined {
  const target = text === 'uplink' ? 'host' : text;
  if (findTargets(host, target).length > 0) {
    const { container, namespaceId } = findTarget(host, target);
    const namespace = host.namespaces.find(({ id }) => id === namespaceId);
    const name = describeTarget(container, namespace);
    if (namespace === undefined) {
      const reason = container?.pid === undefined ? 'is not running' : 'has a network namespace that cannot be seen';
      throw new NetyardError('conflict', `${name} ${reason}`);
    }
    return placeOf(namespace, name, link ?? defaultLink(namespace));
  }
  return placeOfNetwork(host, text, link);
}

function placeOfNetwork(host: HostTopology, text: string, link: string | undefined): CapturePlace | undefined {
  const [network, ...more] = findNetworks(host, text);
  if (network === undefined) return undefined;
  if (more.length > 0) {
    const names = [network, ...more].map(({ engine, name }) => `${engine}/${name}`).join(', ');
    throw new NetyardError('conflict', `${text} is ambiguous: ${names}`, { hint: 'name one of these' });
  }
  const name = `network ${network.name} of ${network.engine}`;
  const namespace = host.namespaces.find(({ isHost }) => isHost);
  if (namespace === undefined || network.link === undefined)
    throw new NetyardError('conflict', `${name} has no interface on this host`);
  const place = placeOf(namespace, name, link ?? network.link);
  const others = otherBridges(namespace, network.link, place.link);
  if (others.length === 0) return place;
  return { ...place, description: `${place.description}, without what stays on ${others.join(', ')}` };
}

/** Bridges that veth pairs join to the network's: frames may pass one of them only. */
function otherBridges(namespace: HostNamespace, own: string, captured: string): string[] {
  const bridge = namespace.links.find(({ name, kind }) => name === own && kind === 'bridge');
  const names = bridge === undefined ? [] : joinedBridges(namespace, bridge).map((joined) => joined.bridge.name);
  return names.includes(captured) ? names.filter((name) => name !== captured) : [];
}

function describeTarget(container: HostContainer | undefined, namespace: HostNamespace | undefined): string {
  if (container !== undefined && container.engine !== 'namespace')
    return `container ${container.name} of ${container.engine} (${container.id.slice(0, 12)})`;
  return namespace?.isHost ? 'this host' : `namespace ${namespace?.name ?? container?.name}`;
}

function placeOf({ path, links }: HostNamespace, name: string, chosen: string | undefined): CapturePlace {
  const link = links.find((each) => each.name === chosen);
  if (link === undefined) {
    const hint = `name one with -i: ${links.map((each) => each.name).join(', ')}`;
    if (chosen === undefined) throw new NetyardError('conflict', `${name} has no interface but lo`, { hint });
    throw new NetyardError('not-found', `${name} has no interface ${chosen}`, { hint });
  }
  return {
    ...{ ns: path, link: link.name, mac: link.mac ?? '', addresses: link.addresses },
    description: `${link.name} of ${name}`,
  };
}

function defaultLink({ links, routes }: HostNamespace): string | undefined {
  const routed = routes.find(({ to, type, table }) => to === 'default' && type === 'unicast' && table === 254)?.link;
  const others = links.filter(({ name }) => name !== 'lo');
  const hasAddress = ({ addresses }: NamespaceLink): boolean => addresses.some((prefix) => !/^fe[89ab]/.test(prefix));
  return routed ?? (others.find(hasAddress) ?? others[0])?.name;
}
