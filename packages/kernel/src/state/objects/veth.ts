/** Handler of veth pairs. */
import type { KernelObject, VethObject } from '../../desired.ts';
import * as links from '../../netlink/rtnl/link.ts';
import type { Session } from '../../netlink/session.ts';
import { disableIpv6Key, sysctlPath } from '../../system/sysctl.ts';
import { absent, type ObjectHandler, observed, type Undo } from './handler.ts';
import {
  canonicalMac,
  change,
  checkSettings,
  differences,
  find,
  findRenamed,
  type LinkLocation,
  refuseOtherKind,
  removeOurs,
  rename,
  undoCreate,
} from './link.ts';

/** All settings but the master, which is set by its index. */
function vethSettings({ mtu, owner, hairpin, isolated, up }: VethObject): links.LinkSettings {
  return {
    up,
    ...(mtu === undefined ? {} : { mtu }),
    ...(owner === undefined ? {} : { alias: owner }),
    ...(hairpin === undefined ? {} : { hairpin }),
    ...(isolated === undefined ? {} : { isolated }),
  };
}

function masterSetting(session: Session, { master, ns }: LinkLocation & { master?: string }): { master?: number } {
  return master === undefined ? {} : { master: links.linkIndex(session.route(ns), master) };
}

/** A link name and its namespace. */
const withNs = (name: string, ns: string | undefined): LinkLocation => (ns === undefined ? { name } : { name, ns });

/** Desired settings of the far end at creation. */
function peerSettings({ mtu, peer }: VethObject): links.LinkSettings {
  return {
    up: peer.up,
    ...(mtu === undefined ? {} : { mtu }),
    ...(peer.mac === undefined ? {} : { mac: canonicalMac(peer.mac) }),
  };
}

/** Whether two links are the two ends of one pair. */
const arePair = (near: links.Link | undefined, far: links.Link | undefined): boolean =>
  near?.kind === 'veth' && far?.kind === 'veth' && near.peerIndex === far.index && far.peerIndex === near.index;

interface Ends {
  near: links.Link | undefined;
  far: links.Link | undefined;
}

/** Both ends by name; a renamed end is found by its index, which the other end reports. */
function findEnds(session: Session, veth: VethObject): Ends {
  const near = find(session, veth);
  const far = find(session, veth.peer);
  if (near && far) return { near, far };
  if (near?.kind === 'veth') return { near, far: findRenamed(session, veth.peer.ns, (link) => arePair(near, link)) };
  if (far?.kind === 'veth') return { near: findRenamed(session, veth.ns, (link) => arePair(link, far)), far };
  return { near, far };
}

/**
 * The far end of a pair within one namespace, whose near end another program moved elsewhere. In a namespace of its own, an
 * interface with the far end's name may be another program's.
 */
function findStranded(session: Session, veth: VethObject): links.Link | undefined {
  if (veth.peer.ns !== veth.ns || veth.peer.keep) return undefined;
  const { near, far } = findEnds(session, veth);
  return near === undefined && far?.kind === 'veth' ? far : undefined;
}

function restoreNames(session: Session, veth: VethObject, { near, far }: Ends): Undo[] {
  const isRenamed = far && !veth.peer.keep && far.name !== veth.peer.name;
  return [
    ...(near && near.name !== veth.name ? [rename(session, veth.ns, near, veth.name)] : []),
    ...(isRenamed ? [rename(session, veth.peer.ns, far, veth.peer.name)] : []),
  ];
}

/** Differences of the far end from its desired state. */
function farDifferences(session: Session, veth: VethObject, far: links.Link): (string | false)[] {
  if (veth.peer.keep) return [];
  return [
    far.name !== veth.peer.name && `far end named ${far.name}`,
    hasOtherMaster(session, veth.peer, far) && 'far end has another master',
    ...differences(far, peerSettings(veth)),
  ];
}

function hasOtherMaster(session: Session, { master, ns }: VethObject | VethObject['peer'], link: links.Link): boolean {
  return master !== undefined && link.masterIndex !== (find(session, withNs(master, ns))?.index ?? -1);
}

/**
 * Whether `next` belongs to the far end and is set while that is down. Not an IPv6 address: the kernel checks it for
 * duplicates, and adds its routes, when the interface is up.
 */
const isSetWhileDown = ({ peer }: VethObject, next: KernelObject): boolean =>
  (next.kind === 'sysctl' && next.ns === peer.ns) ||
  (next.kind === 'address' && next.ns === peer.ns && next.link === peer.name && !next.prefix.includes(':'));

/** The kernel ignores a master in the far end's part of the creation (veth_newlink of drivers/net/veth.c). */
function attachPeer(session: Session, { peer }: VethObject): void {
  if (peer.master !== undefined) links.changeLink(session.route(peer.ns), peer.name, masterSetting(session, peer));
}

/** Before the end is set up, and so has neither addresses nor routes that would be removed again. */
function disableIpv6(session: Session, veth: VethObject): void {
  if (veth.disableIpv6) session.sysctls().write({ key: disableIpv6Key(veth), ns: veth.ns }, '1', session.enter);
}

/**
 * The near end last. Where it is up without a carrier, a thread of the kernel that processes the creation's events stops
 * its queues and waits for all processors (linkwatch_do_dev, dev_deactivate), with the lock (RTNL) that the far end needs.
 */
function setUp(session: Session, veth: VethObject): void {
  const { name, ns, peer } = veth;
  if (peer.up) links.changeLink(session.route(peer.ns), peer.name, { up: true });
  if (isSetUpLast(veth)) links.changeLink(session.route(ns), name, { up: true });
}

const isSetUpLast = ({ up, peer }: VethObject): boolean => up && peer.up;

function createWhole(session: Session, veth: VethObject): Undo {
  const undo = vethHandler.create(session, veth);
  try {
    setUp(session, veth);
    return undo;
  } catch (error) {
    links.deleteLink(session.route(veth.ns), veth.name);
    throw error;
  }
}

export const vethHandler: ObjectHandler<VethObject> = {
  check(veth) {
    checkSettings(veth);
    checkSettings(veth.peer);
    for (const { master } of [veth, veth.peer]) if (master !== undefined) links.checkLinkName(master);
    if (veth.disableIpv6) sysctlPath(disableIpv6Key(veth));
  },
  observe(session, veth) {
    const { near, far } = findEnds(session, veth);
    if (!near) return findStranded(session, veth) ? observed(['near end is elsewhere']) : absent;
    if (near.kind !== 'veth') return observed([`a ${near.kind ?? 'device'}`]);
    if (!veth.peer.keep && !arePair(near, far)) return observed(['far end is elsewhere']);
    return observed([
      near.name !== veth.name && `named ${near.name}`,
      hasOtherMaster(session, veth, near) && 'another master',
      ...differences(near, vethSettings(veth)),
      ...(far ? farDifferences(session, veth, far) : []),
    ]);
  },
  create(session, veth) {
    const { up: _up, ...peer } = peerSettings(veth);
    const elsewhere = veth.peer.ns === veth.ns ? {} : { netnsFd: session.netnsFd(veth.peer.ns) };
    const settings = {
      ...vethSettings(veth),
      ...masterSetting(session, veth),
      up: veth.up && !isSetUpLast(veth),
      name: veth.name,
      peer: { ...peer, ...elsewhere, name: veth.peer.name },
    };
    links.createVeth(session.route(veth.ns), settings, () => disableIpv6(session, veth));
    try {
      attachPeer(session, veth);
    } catch (error) {
      links.deleteLink(session.route(veth.ns), veth.name);
      throw error;
    }
    return undoCreate(session, veth);
  },
  // With its far end up, a pair has a carrier. A thread of the kernel then configures both ends, beside many ports of a
  // bridge for a millisecond, and holds the lock (RTNL) that settings and addresses need.
  complete: { precedes: isSetWhileDown, perform: setUp },
  change(session, veth) {
    if (findStranded(session, veth)) {
      links.deleteLink(session.route(veth.peer.ns), veth.peer.name);
      return createWhole(session, veth);
    }
    const ends = findEnds(session, veth);
    const undoNames = arePair(ends.near, ends.far) ? restoreNames(session, veth, ends) : [];
    refuseOtherKind(session, veth, 'veth');
    if (!veth.peer.keep && !arePair(ends.near, ends.far)) {
      links.deleteLink(session.route(veth.ns), veth.name); // left by a crash and unusable
      return createWhole(session, veth);
    }
    const undoNear = change(session, veth, { ...vethSettings(veth), ...masterSetting(session, veth) });
    try {
      const desired = { ...peerSettings(veth), ...masterSetting(session, veth.peer) };
      const undoFar = veth.peer.keep ? () => undefined : change(session, veth.peer, desired);
      return async () => {
        await undoFar();
        await undoNear();
        for (const undo of undoNames) await undo();
      };
    } catch (error) {
      void undoNear();
      throw error;
    }
  },
  delete(session, veth) {
    const { name, ns } = veth.peer;
    if (findStranded(session, veth)) return removeOurs(session, withNs(name, ns), 'veth');
    return removeOurs(session, veth, 'veth');
  },
};
