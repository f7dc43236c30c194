/**
 * Bridges of one namespace that veth pairs join: frames pass between them as on one bridge. Ports that the spanning tree
 * protocol blocks are not known. Pure.
 */
import type { HostNamespace, NamespaceLink } from './model.ts';

type Links = Pick<HostNamespace, 'id' | 'links'>;

/** A veth pair from one bridge to another. */
export interface Crossing {
  /** The near end. */
  port: NamespaceLink;
  far: NamespaceLink;
  /** The bridge of the far end. */
  bridge: NamespaceLink;
}

export interface JoinedBridge {
  bridge: NamespaceLink;
  /** The pairs on the way to it. */
  crossings: readonly Crossing[];
}

/**
 * The bridge itself first, then the others, nearest first. A way on which every interface is up is preferred; where there is
 * none, the way has interfaces that are down.
 */
export function joinedBridges(namespace: Links, bridge: NamespaceLink): JoinedBridge[] {
  const found: JoinedBridge[] = [{ bridge, crossings: [] }];
  spread(namespace, found, ({ port, far, bridge: next }) => port.up && far.up && next.up);
  spread(namespace, found, () => true);
  return found;
}

/** Adds bridges to `found` until there are no more. */
function spread(namespace: Links, found: JoinedBridge[], isUsable: (crossing: Crossing) => boolean): void {
  for (const { bridge, crossings } of found) // grows meanwhile
    for (const crossing of crossingsFrom(namespace, bridge))
      if (isUsable(crossing) && !found.some((known) => known.bridge === crossing.bridge))
        found.push({ bridge: crossing.bridge, crossings: [...crossings, crossing] });
}

function crossingsFrom({ id, links }: Links, { index }: NamespaceLink): Crossing[] {
  return links.flatMap((port) => {
    const far = port.masterIndex === index ? pairOf({ id, links }, port) : undefined;
    const bridge = far && bridgeOf({ id, links }, far);
    return far && bridge && bridge.index !== index ? [{ port, far, bridge }] : [];
  });
}

/** The other end of a veth pair, if both ends are in this namespace. */
export const pairOf = ({ id, links }: Links, { peer }: NamespaceLink): NamespaceLink | undefined =>
  peer?.namespaceId === id ? links.find(({ index }) => index === peer.index) : undefined;

/** The bridge of which a link is a port. */
export const bridgeOf = ({ links }: Links, { masterIndex }: NamespaceLink): NamespaceLink | undefined =>
  masterIndex === undefined ? undefined : links.find(({ index, kind }) => index === masterIndex && kind === 'bridge');

/** Whether the host takes part in what a bridge carries. Link-local addresses need no decision of anyone. */
export const isAddressed = ({ addresses }: NamespaceLink): boolean =>
  addresses.some((prefix) => !/^fe[89ab]/.test(prefix));

/** A bridge on which the host takes part in nothing, such as a further one of a network. */
export const isBareBridge = (link: NamespaceLink): boolean => link.kind === 'bridge' && !isAddressed(link);

/** Of bridges that are joined, the one with an address, else the bridge itself. */
export const addressedBridge = (namespace: Links, bridge: NamespaceLink): NamespaceLink =>
  joinedBridges(namespace, bridge).find((joined) => isAddressed(joined.bridge))?.bridge ?? bridge;
