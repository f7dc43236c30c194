/** Bridges, veth pairs and the state of links that others made, as objects of a plan. */
import { formatMac, parseMac } from '@netyard/core';
import type { BridgeObject, LinkStateObject, VethObject } from '../desired.ts';
import { errnoOf, hasErrno, kernelError } from '../ffi/errno.ts';
import * as links from '../rtnl/link.ts';
import type { Session } from '../session.ts';
import { absent, isGone, type ObjectHandler, observed, type Undo } from './handler.ts';

type Place = { ns?: string; name: string };

const whereIs = ({ ns, name }: Place): string => (ns === undefined ? name : `${name} in ${ns}`);

/** The link as it is; undefined without it or without its namespace. */
function find(session: Session, { ns, name }: Place): links.Link | undefined {
  try {
    return links.findLink(session.route(ns), name);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function required(session: Session, place: Place): links.Link {
  const link = find(session, place);
  if (!link) throw kernelError(errnoOf('ENODEV'), 'ip link show', whereIs(place));
  return link;
}

/** The link's present settings, in the words of the wanted ones. */
function settingsOf(link: links.Link): Omit<links.LinkSettings, 'name' | 'netnsFd'> {
  return {
    up: link.up,
    mtu: link.mtu,
    master: link.masterIndex ?? 0,
    alias: link.alias ?? '',
    ...(link.mac === undefined ? {} : { mac: link.mac }),
    ...(link.hairpin === undefined ? {} : { hairpin: link.hairpin }),
    ...(link.isolated === undefined ? {} : { isolated: link.isolated }),
  };
}

const settingNames = ['up', 'mtu', 'mac', 'master', 'alias', 'hairpin', 'isolated'] as const;
type SettingName = (typeof settingNames)[number];

/** Which of the wanted settings the link has otherwise. */
function differing(link: links.Link, wanted: links.LinkSettings): SettingName[] {
  const has = settingsOf(link);
  return settingNames.filter((name) => wanted[name] !== undefined && wanted[name] !== has[name]);
}

/** The same in words, as found: `up false`, `mtu 1500`. */
function differences(link: links.Link, wanted: links.LinkSettings): string[] {
  const has = settingsOf(link);
  return differing(link, wanted).map((name) => `${name} ${has[name] ?? 'unset'}`);
}

/**
 * Gives a link the wanted settings that it lacks; taken back, it has those it had. No others are sent: even the same
 * MAC again would make the kernel forget the neighbours on the link.
 */
function change(session: Session, place: Place, wanted: links.LinkSettings): Undo {
  const before = required(session, place);
  const has = settingsOf(before);
  const names = differing(before, wanted);
  if (names.includes('master')) names.push('hairpin', 'isolated'); // of the port, which is a new one
  const pick = (from: links.LinkSettings): links.LinkSettings =>
    Object.fromEntries(names.filter((name) => from[name] !== undefined).map((name) => [name, from[name]]));
  order(session, place, pick(wanted));
  return () => order(session, place, pick(has));
}

/** The master first, for settings of a port are refused (EOPNOTSUPP) before the link is one. */
function order(session: Session, place: Place, { master, ...others }: links.LinkSettings): void {
  if (master !== undefined) links.changeLink(session.route(place.ns), place.name, { master });
  if (Object.keys(others).length > 0) links.changeLink(session.route(place.ns), place.name, others);
}

const canonicalMac = (mac: string): string => formatMac(parseMac(mac));

/** On a thread of the pool, for it takes the kernel some 20 ms. */
async function remove(session: Session, { ns, name }: Place): Promise<boolean> {
  const socket = session.privateRoute(ns);
  try {
    await links.deleteLinkSlowly(socket, name);
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  } finally {
    socket.close();
  }
}

/**
 * Deletes a link of the right kind. One of another kind, or where an owner is wanted without any, was made by
 * somebody else under this name: it stays.
 */
async function removeOurs(session: Session, object: Place & { owner?: string }, kind: string): Promise<boolean> {
  const link = find(session, object);
  if (link?.kind !== kind || (object.owner !== undefined && link.alias === undefined)) return false;
  return await remove(session, object);
}

const undoCreate = (session: Session, place: Place): Undo => {
  return async () => void (await remove(session, place));
};

function refuseOtherKind(session: Session, place: Place, kind: string): void {
  const link = required(session, place);
  if (link.kind === kind) return;
  throw kernelError(
    errnoOf('EEXIST'),
    'ip link add',
    whereIs(place),
    `it is a ${link.kind ?? 'device'}, not a ${kind}`,
  );
}

function checkSettings(object: { name: string; mac?: string; mtu?: number }): void {
  links.checkLinkName(object.name);
  if (object.mac !== undefined) parseMac(object.mac);
}

// Bridges

function bridgeSettings({ mac, mtu, owner, up }: BridgeObject): links.LinkSettings {
  return {
    up,
    ...(mac === undefined ? {} : { mac: canonicalMac(mac) }),
    ...(mtu === undefined ? {} : { mtu }),
    ...(owner === undefined ? {} : { alias: owner }),
  };
}

export const bridgeHandler: ObjectHandler<BridgeObject> = {
  check: checkSettings,
  observe(session, bridge) {
    const link = find(session, bridge);
    if (!link) return absent;
    const kind = link.kind !== 'bridge' && `a ${link.kind ?? 'device'}`;
    return observed([kind, ...differences(link, bridgeSettings(bridge))]);
  },
  create(session, bridge) {
    links.createBridge(session.route(bridge.ns), { ...bridgeSettings(bridge), name: bridge.name });
    return undoCreate(session, bridge);
  },
  change(session, bridge) {
    refuseOtherKind(session, bridge, 'bridge');
    return change(session, bridge, bridgeSettings(bridge));
  },
  delete: (session, bridge) => removeOurs(session, bridge, 'bridge'),
};

// Veth pairs

/** All but the master, which is known by its index. */
function vethSettings({ mtu, owner, hairpin, isolated, up }: VethObject): links.LinkSettings {
  return {
    up,
    ...(mtu === undefined ? {} : { mtu }),
    ...(owner === undefined ? {} : { alias: owner }),
    ...(hairpin === undefined ? {} : { hairpin }),
    ...(isolated === undefined ? {} : { isolated }),
  };
}

function masterSetting(session: Session, { master, ns }: VethObject): { master?: number } {
  return master === undefined ? {} : { master: links.linkIndex(session.route(ns), master) };
}

/** A name and the namespace where it means something. */
const withNs = (name: string, ns: string | undefined): Place => (ns === undefined ? { name } : { name, ns });

/** What the pair's far end should be like. */
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

export const vethHandler: ObjectHandler<VethObject> = {
  check(veth) {
    checkSettings(veth);
    checkSettings(veth.peer);
    if (veth.master !== undefined) links.checkLinkName(veth.master);
  },
  observe(session, veth) {
    const near = find(session, veth);
    if (!near) return absent;
    const far = find(session, veth.peer);
    if (near.kind !== 'veth') return observed([`a ${near.kind ?? 'device'}`]);
    if (!far || !arePair(near, far)) return observed(['its other end is elsewhere']);
    const master = veth.master === undefined ? undefined : (find(session, withNs(veth.master, veth.ns))?.index ?? -1);
    return observed([
      master !== undefined && near.masterIndex !== master && 'another master',
      ...differences(near, vethSettings(veth)),
      ...differences(far, peerSettings(veth)),
    ]);
  },
  create(session, veth) {
    const { up: peerUp = false, ...peer } = peerSettings(veth);
    const elsewhere = veth.peer.ns === veth.ns ? {} : { netnsFd: session.netnsFd(veth.peer.ns) };
    links.createVeth(session.route(veth.ns), {
      ...vethSettings(veth),
      ...masterSetting(session, veth),
      name: veth.name,
      peer: { ...peer, ...elsewhere, name: veth.peer.name },
    });
    try {
      if (peerUp) links.changeLink(session.route(veth.peer.ns), veth.peer.name, { up: true });
    } catch (error) {
      links.deleteLink(session.route(veth.ns), veth.name);
      throw error;
    }
    return undoCreate(session, veth);
  },
  change(session, veth) {
    refuseOtherKind(session, veth, 'veth');
    const far = find(session, veth.peer);
    if (!arePair(find(session, veth), far)) {
      links.deleteLink(session.route(veth.ns), veth.name); // left by a crash: of no use to anybody
      return vethHandler.create(session, veth);
    }
    const undoNear = change(session, veth, { ...vethSettings(veth), ...masterSetting(session, veth) });
    try {
      const undoFar = change(session, veth.peer, peerSettings(veth));
      return async () => {
        await undoFar();
        await undoNear();
      };
    } catch (error) {
      void undoNear();
      throw error;
    }
  },
  delete: (session, veth) => removeOurs(session, veth, 'veth'),
};

// Links of others

const stateSettings = ({ up, mtu, mac }: LinkStateObject): links.LinkSettings => ({
  ...(up === undefined ? {} : { up }),
  ...(mtu === undefined ? {} : { mtu }),
  ...(mac === undefined ? {} : { mac: canonicalMac(mac) }),
});

export const linkStateHandler: ObjectHandler<LinkStateObject> = {
  check: checkSettings,
  observe(session, state) {
    const link = find(session, state);
    return link ? observed(differences(link, stateSettings(state))) : absent;
  },
  /** The link came with a namespace or a pair that the same plan made, and goes with it. */
  create(session, state) {
    order(session, state, stateSettings(state));
    return () => undefined;
  },
  change: (session, state) => change(session, state, stateSettings(state)),
  delete: () => false,
};
