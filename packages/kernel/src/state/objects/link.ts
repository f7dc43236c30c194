/**
 * What kinds of links have in common as objects of a plan: found, compared, changed, removed; and the simplest of them,
 * the state of a link that others made.
 */
import { formatMac, parseMac } from '@netyard/core';
import type { LinkStateObject } from '../../desired.ts';
import { removalGroup } from '../../netlink/link-remover.ts';
import * as links from '../../netlink/rtnl/link.ts';
import type { Session } from '../../netlink/session.ts';
import { errnoOf, hasErrno, kernelError } from '../../system/ffi/errno.ts';
import { absent, isGone, type ObjectHandler, observed, type Undo } from './handler.ts';

export type Place = { ns?: string; name: string };

const whereIs = ({ ns, name }: Place): string => (ns === undefined ? name : `${name} in ${ns}`);

/** The link as it is; undefined without it or without its namespace. */
export function find(session: Session, { ns, name }: Place): links.Link | undefined {
  try {
    return links.findLink(session.route(ns), name);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

export function required(session: Session, place: Place): links.Link {
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
    ...(link.group === removalGroup ? { group: removalGroup } : {}),
    ...(link.hairpin === undefined ? {} : { hairpin: link.hairpin }),
    ...(link.isolated === undefined ? {} : { isolated: link.isolated }),
  };
}

const settingNames = ['up', 'mtu', 'mac', 'master', 'alias', 'group', 'hairpin', 'isolated'] as const;
type SettingName = (typeof settingNames)[number];

/** Which of the wanted settings the link has otherwise. */
function differing(link: links.Link, wanted: links.LinkSettings): SettingName[] {
  const has = settingsOf(link);
  const names = settingNames.filter((name) => wanted[name] !== undefined && wanted[name] !== has[name]);
  return link.group === removalGroup ? [...names, 'group'] : names;
}

/** The same in words, as found: `up false`, `mtu 1500`. */
export function differences(link: links.Link, wanted: links.LinkSettings): string[] {
  const has = settingsOf(link);
  return differing(link, wanted).map((name) => `${name} ${has[name] ?? 'unset'}`);
}

/**
 * Gives a link the wanted settings that it lacks; taken back, it has those it had. No others are sent: even the same
 * MAC again would make the kernel forget the neighbours on the link.
 */
export function change(session: Session, place: Place, wanted: links.LinkSettings): Undo {
  const before = required(session, place);
  const has = settingsOf(before);
  const names = differing(before, wanted);
  if (names.includes('master')) names.push('hairpin', 'isolated'); // of the port, which is a new one
  const pick = (from: links.LinkSettings): links.LinkSettings =>
    Object.fromEntries(names.filter((name) => from[name] !== undefined).map((name) => [name, from[name]]));
  order(session, place, pick({ ...wanted, group: 0 })); // one marked for removal when we died is wanted again
  return () => order(session, place, pick(has));
}

/** The master first, for settings of a port are refused (EOPNOTSUPP) before the link is one. */
export function order(session: Session, place: Place, { master, ...others }: links.LinkSettings): void {
  if (master !== undefined) links.changeLink(session.route(place.ns), place.name, { master });
  if (Object.keys(others).length > 0) links.changeLink(session.route(place.ns), place.name, others);
}

/** A link under another name, found by what else it is; undefined without it or its namespace. Lists all links. */
export function findRenamed(
  session: Session,
  ns: string | undefined,
  isMeant: (link: links.Link) => boolean,
): links.Link | undefined {
  try {
    return links.listLinks(session.route(ns)).find(isMeant);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** Gives a link its name; before Linux 6.2 only a link that is down can be renamed. */
export function rename(session: Session, ns: string | undefined, link: links.Link, name: string): Undo {
  const socket = session.route(ns);
  const former = link.name;
  try {
    links.changeLink(socket, link.index, { name });
  } catch (error) {
    if (!hasErrno(error, 'EBUSY')) throw error;
    links.changeLink(socket, link.index, { up: false });
    links.changeLink(socket, link.index, { name });
  }
  return () => links.changeLink(socket, link.index, { name: former });
}

export const canonicalMac = (mac: string): string => formatMac(parseMac(mac));

/** Without blocking, for it takes the kernel some 20 ms. */
async function remove(session: Session, { ns, name }: Place): Promise<boolean> {
  if (ns === undefined) return await session.remover().remove(name);
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
export async function removeOurs(session: Session, object: Place & { owner?: string }, kind: string): Promise<boolean> {
  const link = find(session, object);
  if (link?.kind !== kind || (object.owner !== undefined && link.alias === undefined)) return false;
  return await remove(session, object);
}

export const undoCreate = (session: Session, place: Place): Undo => {
  return async () => void (await remove(session, place));
};

export function refuseOtherKind(session: Session, place: Place, kind: string): void {
  const link = required(session, place);
  if (link.kind === kind) return;
  throw kernelError(
    errnoOf('EEXIST'),
    'ip link add',
    whereIs(place),
    `it is a ${link.kind ?? 'device'}, not a ${kind}`,
  );
}

export function checkSettings(object: { name: string; mac?: string; mtu?: number }): void {
  links.checkLinkName(object.name);
  if (object.mac !== undefined) parseMac(object.mac);
}

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
