/** Creates, reads, changes, moves and deletes links (network devices) in a socket's namespace. */
import type { LinkStatistics } from '../../contract.ts';
import { errnoOf, hasErrno, kernelError } from '../../system/ffi/errno.ts';
import { NLM_F_CREATE, NLM_F_EXCL } from '../message.ts';
import type { NetlinkRequest, NetlinkSocket } from '../socket.ts';
import type { IpvlanSettings } from './ipvlan-message.ts';
import {
  type BridgeSettings,
  checkLinkName,
  decodeLink,
  decodeLinkStatistics,
  encodeBridge,
  encodeDummy,
  encodeIpvlanChange,
  encodeIpvlanLink,
  encodeLinkChange,
  encodeLinkDeletion,
  encodeLinkProbe,
  encodeLinkQuery,
  encodeLinksQuery,
  encodeMacvlanChange,
  encodeMacvlanLink,
  encodeVeth,
  encodeVlanLink,
  encodeVxlanLink,
  encodeVxlanMove,
  type Link,
  type LinkSettings,
  RTM_DELLINK,
  RTM_GETLINK,
  RTM_NEWLINK,
  type VethSettings,
  withoutUndefined,
} from './link-message.ts';
import type { MacvlanMode, MacvlanSettings } from './macvlan-message.ts';
import type { VxlanSettings } from './vxlan-message.ts';

export * from './link-message.ts';

/** `netz` in ASCII: the group of links whose alias is not set yet. A crash may leave a link in it: see isUnfinished. */
const creationGroup = 0x6e65747a;

/** Whether the process that created the link ended before it set the alias. */
export const isUnfinished = ({ group }: Pick<Link, 'group'>): boolean => group === creationGroup;

const inCreation = ({ alias }: LinkSettings): Pick<LinkSettings, 'group'> =>
  alias === undefined ? {} : { group: creationGroup };

/** Equivalent to: `ip link add NAME type bridge`. */
export function createBridge(socket: NetlinkSocket, bridge: BridgeSettings): void {
  create(socket, encodeBridge({ ...bridge, ...inCreation(bridge) }), bridge.name);
  describe(socket, bridge);
}

/**
 * Equivalent to: `ip link add NAME type veth peer name PEER netns NS address MAC`. It is described while it is down: of
 * the changes of a link that is up, the kernel notifies IPv6, which searches all routes of the namespace (rt6_sync_down_dev).
 * `configure` is called while the link is down and still identified as unfinished; when it fails, the link is deleted.
 */
export function createVeth(socket: NetlinkSocket, { up, ...veth }: VethSettings, configure?: () => void): void {
  create(socket, encodeVeth({ ...withoutPort(veth), ...inCreation(veth) }), veth.name);
  describe(socket, veth, { up, configure });
}

/** Equivalent to: `ip link add NAME type vxlan id ID dstport PORT local LOCAL nolearning`. */
export function createVxlan(socket: NetlinkSocket, link: LinkSettings & { name: string }, vxlan: VxlanSettings): void {
  create(socket, encodeVxlanLink({ ...link, ...inCreation(link) }, vxlan), link.name);
  describe(socket, link);
}

/** Equivalent to: `ip link set NAME type vxlan local LOCAL`. */
export function moveVxlan(socket: NetlinkSocket, name: string, local: string): void {
  const payload = encodeVxlanMove(name, local);
  socket.execute({ type: RTM_NEWLINK, payload, operation: 'ip link set', object: name });
}

/** Equivalent to: `ip link add link PARENT name NAME netns NS address MAC type macvlan mode MODE`. */
export function createMacvlan(
  socket: NetlinkSocket,
  link: LinkSettings & { name: string },
  macvlan: MacvlanSettings,
): void {
  create(socket, encodeMacvlanLink({ ...link, ...inCreation(link) }, macvlan), link.name);
}

/** Equivalent to: `ip link set NAME type macvlan mode MODE`. */
export function changeMacvlan(socket: NetlinkSocket, name: string, mode: MacvlanMode): void {
  const payload = encodeMacvlanChange(name, mode);
  socket.execute({ type: RTM_NEWLINK, payload, operation: 'ip link set', object: name });
}

/** Equivalent to: `ip link add link PARENT name NAME netns NS type ipvlan mode MODE FLAG`. */
export function createIpvlan(
  socket: NetlinkSocket,
  link: LinkSettings & { name: string },
  parentIndex: number,
  ipvlan: IpvlanSettings,
): void {
  create(socket, encodeIpvlanLink(link, parentIndex, ipvlan), link.name);
}

/** Equivalent to: `ip link set NAME type ipvlan mode MODE FLAG`. */
export function changeIpvlan(socket: NetlinkSocket, name: string, ipvlan: IpvlanSettings): void {
  const payload = encodeIpvlanChange(name, ipvlan);
  socket.execute({ type: RTM_NEWLINK, payload, operation: 'ip link set', object: name });
}

/** Equivalent to: `ip link add link PARENT name NAME type vlan id ID`. */
export function createVlan(
  socket: NetlinkSocket,
  link: LinkSettings & { name: string },
  parentIndex: number,
  id: number,
): void {
  create(socket, encodeVlanLink({ ...link, ...inCreation(link) }, parentIndex, id), link.name);
  describe(socket, link);
}

/** Equivalent to: `ip link add NAME type dummy`. */
export function createDummy(socket: NetlinkSocket, link: LinkSettings & { name: string }): void {
  create(socket, encodeDummy({ ...link, ...inCreation(link) }), link.name);
  describe(socket, link);
}

/** Whether the kernel has links of this kind, with or without a module that it loads for that. Creates nothing. */
export function supportsKind(socket: NetlinkSocket, kind: string): boolean {
  try {
    create(socket, encodeLinkProbe(kind), kind);
    return true;
  } catch (error) {
    if (hasErrno(error, 'EOPNOTSUPP')) return false;
    if (hasErrno(error, 'EINVAL', 'EADDRNOTAVAIL')) return true;
    throw error;
  }
}

function create(socket: NetlinkSocket, payload: Uint8Array, name: string): void {
  const flags = NLM_F_CREATE | NLM_F_EXCL;
  socket.execute({ type: RTM_NEWLINK, flags, payload, operation: 'ip link add', object: name });
}

/**
 * The kernel ignores an alias and bridge port settings in the message that creates the link, so they are sent
 * separately, after `configure`. Until then the link's group identifies it as ours. With `up`, the link is then set up.
 */
function describe(
  socket: NetlinkSocket,
  { name, alias, hairpin, isolated }: LinkSettings & { name: string },
  { up = false, configure }: { up?: boolean | undefined; configure?: (() => void) | undefined } = {},
): void {
  const settings = withoutUndefined<LinkSettings>({
    ...{ alias, hairpin, isolated },
    group: alias === undefined ? undefined : 0,
  });
  const changes = [...(Object.keys(settings).length > 0 ? [settings] : []), ...(up ? [{ up }] : [])];
  try {
    configure?.();
    socket.executeAll(changes.map((change) => changeRequest(name, change)));
  } catch (error) {
    deleteLink(socket, name);
    throw error;
  }
}

function withoutPort(veth: VethSettings): VethSettings {
  const { hairpin: _hairpin, isolated: _isolated, ...rest } = veth;
  return rest;
}

/** Equivalent to: `ip link set NAME …`: up, down, mtu, address, alias, master, netns, name. */
export function changeLink(socket: NetlinkSocket, link: string | number, settings: LinkSettings): void {
  const target = typeof link === 'string' && settings.name !== undefined ? linkIndex(socket, link) : link;
  socket.execute(changeRequest(target, settings, String(link)));
}

const changeRequest = (link: string | number, settings: LinkSettings, object = String(link)): NetlinkRequest => ({
  ...{ type: RTM_NEWLINK, payload: encodeLinkChange(link, settings) },
  ...{ operation: 'ip link set', object },
});

/**
 * Equivalent to: `ip link delete NAME`. Throws ENODEV. Blocks for some 20 ms: the kernel waits until the link is no
 * longer referenced.
 */
export function deleteLink(socket: NetlinkSocket, name: string): void {
  const payload = encodeLinkDeletion(name);
  socket.execute({ type: RTM_DELLINK, payload, operation: 'ip link delete', object: name });
}

/** The same without blocking, for one link or a whole group; `socket` must not be used for anything else meanwhile. */
export async function deleteLinkAsync(socket: NetlinkSocket, link: string | { group: number }): Promise<void> {
  const object = typeof link === 'string' ? link : `group ${link.group}`;
  const payload = encodeLinkDeletion(link);
  await socket.executeAsync({ type: RTM_DELLINK, payload, operation: 'ip link delete', object });
}

/** Equivalent to: `ip link show NAME`; undefined when the link does not exist. */
export function findLink(socket: NetlinkSocket, name: string): Link | undefined {
  checkLinkName(name);
  if (socket.findLinkIndex(name) === undefined) return undefined;
  try {
    return decodeLink(queryLink(socket, name, encodeLinkQuery(name)));
  } catch (error) {
    if (hasErrno(error, 'ENODEV')) return undefined;
    throw error;
  }
}

const queryLink = (socket: NetlinkSocket, name: string, payload: Uint8Array): Uint8Array =>
  socket.query({ type: RTM_GETLINK, payload, operation: 'ip link show', object: name }).payload;

/** Index of a link. Throws ENODEV. */
export function linkIndex(socket: NetlinkSocket, name: string): number {
  checkLinkName(name);
  const index = socket.findLinkIndex(name);
  if (index === undefined) throw kernelError(errnoOf('ENODEV'), 'ip link show', socket.qualify(name));
  return index;
}

/** Equivalent to: `ip link show`. */
export function listLinks(socket: NetlinkSocket): Link[] {
  const payload = encodeLinksQuery();
  const messages = socket.dump({ type: RTM_GETLINK, payload, operation: 'ip link show', object: 'all links' });
  return messages.filter((message) => message.type === RTM_NEWLINK).map((message) => decodeLink(message.payload));
}

/** Counters since the link's creation. Equivalent to: `ip -s link show NAME`. Throws ENODEV. */
export function linkStatistics(socket: NetlinkSocket, name: string): LinkStatistics {
  return decodeLinkStatistics(queryLink(socket, name, encodeLinkQuery(name, true)));
}
