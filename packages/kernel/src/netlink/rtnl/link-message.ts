/**
 * Encodes and decodes rtnetlink messages of links (network devices). Pure. See rtnetlink(7), linux/if_link.h. link.ts
 * sends them.
 */
import { formatMac, NetyardError, parseMac } from '@netyard/core';
import type { LinkStatistics } from '../../contract.ts';
import {
  type Attribute,
  Attributes,
  bytes,
  concatBytes,
  encodeAttributes,
  getU32,
  hostIsLittleEndian,
  nested,
  putU32,
  text,
  u8,
  u32,
  viewOf,
} from '../attribute.ts';
import { decodeIpvlan, encodeIpvlan, type IpvlanSettings } from './ipvlan-message.ts';
import { decodeMacvlanMode, encodeMacvlan, type MacvlanMode, type MacvlanSettings } from './macvlan-message.ts';
import { decodeVlanId, encodeVlan } from './vlan-message.ts';
import { type DecodedVxlan, decodeVxlan, encodeLocal, encodeVxlan, type VxlanSettings } from './vxlan-message.ts';

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;

const IFLA = {
  ADDRESS: 1,
  IFNAME: 3,
  MTU: 4,
  LINK: 5,
  MASTER: 10,
  LINKINFO: 18,
  IFALIAS: 20,
  STATS64: 23,
  GROUP: 27,
  NET_NS_FD: 28,
  EXT_MASK: 29,
  NUM_TX_QUEUES: 31,
  NUM_RX_QUEUES: 32,
  LINK_NETNSID: 37,
} as const;
const IFLA_INFO = { KIND: 1, DATA: 2, SLAVE_KIND: 4, SLAVE_DATA: 5 } as const;
const IFLA_BR = { STP_STATE: 5, VLAN_FILTERING: 7 } as const;
const IFLA_BRPORT = { MODE: 4, ISOLATED: 33 } as const;
const VETH_INFO_PEER = 1;
const RTEXT_FILTER_SKIP_STATS = 8;
const IFF_UP = 0x1;
const IFF_RUNNING = 0x40;

/** Checks a name as the kernel does: 1 to 15 bytes, no slash, colon or space, not `.` or `..`. Throws `invalid`. */
export function checkLinkName(name: string): void {
  const bad = !/^[^\s/:\0]+$/.test(name) || name === '.' || name === '..' || Buffer.byteLength(name) > 15;
  if (bad) throw new NetyardError('invalid', `invalid link name ${JSON.stringify(name)}`);
}

/** Payload of RTM_GETLINK for one link, optionally with statistics. */
export function encodeLinkQuery(name: string, statistics = false): Uint8Array {
  checkLinkName(name);
  const mask = u32(IFLA.EXT_MASK, statistics ? 0 : RTEXT_FILTER_SKIP_STATS);
  return concatBytes([encodeHead(0), encodeAttributes([text(IFLA.IFNAME, name), mask])]);
}

/** Payload of RTM_GETLINK for a dump of all links. */
export const encodeLinksQuery = (): Uint8Array =>
  concatBytes([encodeHead(0), encodeAttributes([u32(IFLA.EXT_MASK, RTEXT_FILTER_SKIP_STATS)])]);

/** Payload of RTM_DELLINK: one link by its name, or all of a group. */
export function encodeLinkDeletion(link: string | { group: number }): Uint8Array {
  if (typeof link === 'string') checkLinkName(link);
  const attribute = typeof link === 'string' ? text(IFLA.IFNAME, link) : u32(IFLA.GROUP, link.group);
  return concatBytes([encodeHead(0), encodeAttributes([attribute])]);
}

/** Settings of a link at its creation and later. */
export interface LinkSettings {
  name?: string;
  mac?: string;
  mtu?: number;
  up?: boolean;
  /** Index of the bridge; 0: none. */
  master?: number;
  /** Descriptor of the namespace to place the link in. */
  netnsFd?: number;
  alias?: string;
  /** `ip link set group`. Default: 0. */
  group?: number;
  /** Settings of a bridge port. */
  hairpin?: boolean;
  isolated?: boolean;
}

/** struct ifinfomsg: family any, index, flags with their mask. */
function encodeHead(index: number, up?: boolean): Uint8Array {
  const head = new Uint8Array(16);
  putU32(head, 4, index);
  putU32(head, 8, up ? IFF_UP : 0);
  putU32(head, 12, up === undefined ? 0 : IFF_UP);
  return head;
}

function encodeSettings(settings: LinkSettings): Attribute[] {
  const attributes: Attribute[] = [];
  if (settings.name !== undefined) {
    checkLinkName(settings.name);
    attributes.push(text(IFLA.IFNAME, settings.name));
  }
  if (settings.mac !== undefined) attributes.push(bytes(IFLA.ADDRESS, parseMac(settings.mac)));
  if (settings.mtu !== undefined) attributes.push(u32(IFLA.MTU, settings.mtu));
  if (settings.master !== undefined) attributes.push(u32(IFLA.MASTER, settings.master));
  if (settings.netnsFd !== undefined) attributes.push(u32(IFLA.NET_NS_FD, settings.netnsFd));
  if (settings.group !== undefined) attributes.push(u32(IFLA.GROUP, settings.group));
  if (settings.alias !== undefined) attributes.push(bytes(IFLA.IFALIAS, Buffer.from(settings.alias))); // 255 bytes (IFALIASZ) without a NUL
  const port = encodePort(settings);
  if (port.length > 0) {
    const info = [text(IFLA_INFO.SLAVE_KIND, 'bridge'), nested(IFLA_INFO.SLAVE_DATA, port)];
    attributes.push(nested(IFLA.LINKINFO, info));
  }
  return attributes;
}

function encodePort(settings: LinkSettings): Attribute[] {
  const port: Attribute[] = [];
  if (settings.hairpin !== undefined) port.push(u8(IFLA_BRPORT.MODE, settings.hairpin ? 1 : 0));
  if (settings.isolated !== undefined) port.push(u8(IFLA_BRPORT.ISOLATED, settings.isolated ? 1 : 0));
  return port;
}

export interface BridgeSettings extends LinkSettings {
  name: string;
  stp?: boolean;
  vlanFiltering?: boolean;
}

/** Payload of RTM_NEWLINK for a bridge. */
export function encodeBridge(bridge: BridgeSettings): Uint8Array {
  const data: Attribute[] = [];
  if (bridge.stp !== undefined) data.push(u32(IFLA_BR.STP_STATE, bridge.stp ? 1 : 0));
  if (bridge.vlanFiltering !== undefined) data.push(u8(IFLA_BR.VLAN_FILTERING, bridge.vlanFiltering ? 1 : 0));
  const info = [text(IFLA_INFO.KIND, 'bridge'), ...(data.length > 0 ? [nested(IFLA_INFO.DATA, data)] : [])];
  const attributes = [...encodeSettings(bridge), nested(IFLA.LINKINFO, info)];
  return concatBytes([encodeHead(0, bridge.up), encodeAttributes(attributes)]);
}

/**
 * The kernel allocates a queue per processor, with sysfs objects that take a third of the time of creating a pair on two
 * processors, and then uses one queue (drivers/net/veth.c, veth_init_queues).
 */
const oneQueue = [u32(IFLA.NUM_TX_QUEUES, 1), u32(IFLA.NUM_RX_QUEUES, 1)];

export interface VethSettings extends LinkSettings {
  name: string;
  peer: Omit<LinkSettings, 'up'> & { name: string };
}

/**
 * Payload of RTM_NEWLINK for a veth pair; the peer is created in its namespace, under its final name. It is created
 * down, because a veth cannot be set up before its peer exists (ENOTCONN): set it up afterwards, in its namespace.
 */
export function encodeVeth(veth: VethSettings): Uint8Array {
  const peer = nested(VETH_INFO_PEER, [...encodeSettings(veth.peer), ...oneQueue], encodeHead(0));
  const info = [text(IFLA_INFO.KIND, 'veth'), nested(IFLA_INFO.DATA, [peer])];
  const attributes = [...encodeSettings(veth), ...oneQueue, nested(IFLA.LINKINFO, info)];
  return concatBytes([encodeHead(0, veth.up), encodeAttributes(attributes)]);
}

/** Payload of RTM_NEWLINK for a VXLAN link. */
export function encodeVxlanLink(link: LinkSettings & { name: string }, vxlan: VxlanSettings): Uint8Array {
  return concatBytes([
    encodeHead(0, link.up),
    encodeAttributes([...encodeSettings(link), vxlanInfo(encodeVxlan(vxlan))]),
  ]);
}

/** Payload of RTM_NEWLINK that changes a VXLAN link's local address. */
export function encodeVxlanMove(name: string, local: string): Uint8Array {
  checkLinkName(name);
  return concatBytes([encodeHead(0), encodeAttributes([text(IFLA.IFNAME, name), vxlanInfo(encodeLocal(local))])]);
}

const vxlanInfo = (data: readonly Attribute[]): Attribute =>
  nested(IFLA.LINKINFO, [text(IFLA_INFO.KIND, 'vxlan'), nested(IFLA_INFO.DATA, data)]);

/**
 * Payload of RTM_NEWLINK for a macvlan link. Its parent is in the socket's namespace; `netnsFd` is the namespace of the
 * link itself.
 */
export function encodeMacvlanLink(link: LinkSettings & { name: string }, macvlan: MacvlanSettings): Uint8Array {
  const attributes = [...encodeSettings(link), u32(IFLA.LINK, macvlan.parentIndex), macvlanInfo(macvlan.mode)];
  return concatBytes([encodeHead(0, link.up), encodeAttributes(attributes)]);
}

/** Payload of RTM_NEWLINK that changes a macvlan link's mode; not to or from `passthru`. */
export function encodeMacvlanChange(name: string, mode: MacvlanMode): Uint8Array {
  checkLinkName(name);
  return concatBytes([encodeHead(0), encodeAttributes([text(IFLA.IFNAME, name), macvlanInfo(mode)])]);
}

const macvlanInfo = (mode: MacvlanMode): Attribute =>
  nested(IFLA.LINKINFO, [text(IFLA_INFO.KIND, 'macvlan'), nested(IFLA_INFO.DATA, encodeMacvlan(mode))]);

/** Payload of RTM_NEWLINK for an ipvlan link; namespaces as for macvlan. */
export function encodeIpvlanLink(
  link: LinkSettings & { name: string },
  parentIndex: number,
  ipvlan: IpvlanSettings,
): Uint8Array {
  const attributes = [...encodeSettings(link), u32(IFLA.LINK, parentIndex), ipvlanInfo(ipvlan)];
  return concatBytes([encodeHead(0, link.up), encodeAttributes(attributes)]);
}

/** Payload of RTM_NEWLINK that changes mode and flag of an ipvlan link, and of all others of its parent. */
export function encodeIpvlanChange(name: string, ipvlan: IpvlanSettings): Uint8Array {
  checkLinkName(name);
  return concatBytes([encodeHead(0), encodeAttributes([text(IFLA.IFNAME, name), ipvlanInfo(ipvlan)])]);
}

const ipvlanInfo = (ipvlan: IpvlanSettings): Attribute =>
  nested(IFLA.LINKINFO, [text(IFLA_INFO.KIND, 'ipvlan'), nested(IFLA_INFO.DATA, encodeIpvlan(ipvlan))]);

/** Payload of RTM_NEWLINK for a VLAN link. */
export function encodeVlanLink(link: LinkSettings & { name: string }, parentIndex: number, id: number): Uint8Array {
  const info = [text(IFLA_INFO.KIND, 'vlan'), nested(IFLA_INFO.DATA, encodeVlan(id))];
  const attributes = [...encodeSettings(link), u32(IFLA.LINK, parentIndex), nested(IFLA.LINKINFO, info)];
  return concatBytes([encodeHead(0, link.up), encodeAttributes(attributes)]);
}

/** Payload of RTM_NEWLINK for a dummy link. */
export function encodeDummy(link: LinkSettings & { name: string }): Uint8Array {
  const attributes = [...encodeSettings(link), nested(IFLA.LINKINFO, [text(IFLA_INFO.KIND, 'dummy')])];
  return concatBytes([encodeHead(0, link.up), encodeAttributes(attributes)]);
}

/** The kernel module of a kind of links. */
export const moduleOfKind = (kind: string): string => (kind === 'vlan' ? '8021q' : kind);

/** A multicast address, which no link can have. */
const impossibleMac = '01:00:00:00:00:00';

/**
 * Payload of RTM_NEWLINK that creates no link: a kernel that has the kind rejects the MAC or the missing parent, one
 * that lacks it rejects the kind first (rtnl_newlink of net/core/rtnetlink.c). The kernel loads the kind's module.
 */
export function encodeLinkProbe(kind: string): Uint8Array {
  const attributes = [
    bytes(IFLA.ADDRESS, parseMac(impossibleMac)),
    nested(IFLA.LINKINFO, [text(IFLA_INFO.KIND, kind)]),
  ];
  return concatBytes([encodeHead(0), encodeAttributes(attributes)]);
}

/**
 * Payload of RTM_NEWLINK (without NLM_F_CREATE) that changes a link. Addressing the link by its name saves a query, but
 * cannot rename it.
 */
export function encodeLinkChange(link: string | number, settings: LinkSettings): Uint8Array {
  if (typeof link === 'number')
    return concatBytes([encodeHead(link, settings.up), encodeAttributes(encodeSettings(settings))]);
  checkLinkName(link);
  const { name: _rename, ...rest } = settings;
  return concatBytes([
    encodeHead(0, settings.up),
    encodeAttributes([text(IFLA.IFNAME, link), ...encodeSettings(rest)]),
  ]);
}

/** A link as observed. */
export interface Link {
  index: number;
  name: string;
  /** `veth`, `bridge`, …; absent for lo and hardware. */
  kind?: string;
  mac?: string;
  mtu: number;
  /** Administratively up (IFF_UP). */
  up: boolean;
  /** Up and with a carrier (IFF_RUNNING). */
  running: boolean;
  masterIndex?: number;
  /** For veth: index of the peer, for macvlan, ipvlan and vlan: of the parent; `peerNsId` is set when that is in another namespace. */
  peerIndex?: number;
  peerNsId?: number;
  alias?: string;
  group?: number;
  hairpin?: boolean;
  isolated?: boolean;
  vxlan?: DecodedVxlan;
  macvlanMode?: MacvlanMode;
  ipvlan?: IpvlanSettings;
  vlanId?: number;
}

/** Decodes the payload of RTM_NEWLINK or RTM_DELLINK. */
export function decodeLink(payload: Uint8Array): Link {
  const flags = getU32(payload, 8);
  const attributes = new Attributes(payload.subarray(16));
  const info = attributes.nested(IFLA.LINKINFO);
  const mac = attributes.bytes(IFLA.ADDRESS);
  const kind = info.text(IFLA_INFO.KIND);
  const data = (ofKind: string): Attributes | undefined => (kind === ofKind ? info.nested(IFLA_INFO.DATA) : undefined);
  const [vxlan, macvlan, ipvlan, vlan] = [data('vxlan'), data('macvlan'), data('ipvlan'), data('vlan')];
  const optional: Partial<Link> = withoutUndefined({
    kind,
    mac: mac?.length === 6 ? formatMac(mac) : undefined,
    masterIndex: attributes.u32(IFLA.MASTER),
    peerIndex: attributes.u32(IFLA.LINK),
    peerNsId: attributes.s32(IFLA.LINK_NETNSID),
    alias: attributes.text(IFLA.IFALIAS),
    group: attributes.u32(IFLA.GROUP) || undefined,
    ...decodePort(info),
    vxlan: vxlan && decodeVxlan(vxlan),
    macvlanMode: macvlan && decodeMacvlanMode(macvlan),
    ipvlan: ipvlan && decodeIpvlan(ipvlan),
    vlanId: vlan && decodeVlanId(vlan),
  });
  return {
    index: getU32(payload, 4),
    name: attributes.text(IFLA.IFNAME) ?? '',
    mtu: attributes.u32(IFLA.MTU) ?? 0,
    up: (flags & IFF_UP) !== 0,
    running: (flags & IFF_RUNNING) !== 0,
    ...optional,
  };
}

function decodePort(info: Attributes): { hairpin?: boolean; isolated?: boolean } {
  if (info.text(IFLA_INFO.SLAVE_KIND) !== 'bridge') return {};
  const port = info.nested(IFLA_INFO.SLAVE_DATA);
  return { hairpin: port.u8(IFLA_BRPORT.MODE) === 1, isolated: port.u8(IFLA_BRPORT.ISOLATED) === 1 };
}

/** Omits keys whose value is undefined. */
export function withoutUndefined<T extends object>(fields: { [K in keyof T]: T[K] | undefined }): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
}

/** The struct rtnl_link_stats64 in the payload of RTM_NEWLINK. */
export function decodeLinkStatistics(payload: Uint8Array): LinkStatistics {
  const statistics = new Attributes(payload.subarray(16)).bytes(IFLA.STATS64);
  if (!statistics) throw new NetyardError('internal', 'ip -s link show: the kernel returned no statistics');
  return decodeStatistics(statistics);
}

/** struct rtnl_link_stats64. */
export function decodeStatistics(statistics: Uint8Array): LinkStatistics {
  const view = viewOf(statistics);
  const counter = (position: number): bigint => view.getBigUint64(8 * position, hostIsLittleEndian);
  return {
    rxPackets: counter(0),
    txPackets: counter(1),
    rxBytes: counter(2),
    txBytes: counter(3),
    rxErrors: counter(4),
    txErrors: counter(5),
    rxDropped: counter(6),
    txDropped: counter(7),
  };
}
