/** Common parts of the handlers of links: find, compare, change, remove; and the handler of link states. */
import { formatMac, parseMac } from '@netyard/core';
import type { LinkStateObject } from '../../desired.ts';
import { removalGroup } from '../../netlink/link-remover.ts';
import * as links from '../../netlink/rtnl/link.ts';
import type { Session } from '../../netlink/session.ts';
import { errnoOf, hasErrno, kernelError } from '../../system/ffi/errno.ts';
import { absent, isGone, type ObjectHandler, observed, type Undo } from './handler.ts';

export type LinkLocation = { ns?: string; name: string };

const describeLocation = ({ ns, name }: LinkLocation): string => (ns === undefined ? name : `${name} in ${ns}`);

/** The observed link; undefined when the link or its namespace does not exist. */
export function find(session: Session, { ns, name }: LinkLocation): links.Link | undefined {
  try {
    return links.findLink(session.route(ns), name);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

export function required(session: Session, location: LinkLocation): links.Link {
  const link = find(session, location);
  if (!link) throw kernelError(errnoOf('ENODEV'), 'ip link show', describeLocation(location));
  return link;
}

/** Whether a crash left the link marked for removal, or before its creation was complete. */
const isOurGroup = (link: links.Link): boolean => link.group === removalGroup || links.isUnfinished(link);

/** The link's observed settings, in the form of desired ones. */
function settingsOf(link: links.Link): Omit<links.LinkSettings, 'name' | 'netnsFd'> {
  return {
    up: link.up,
    mtu: link.mtu,
    master: link.masterIndex ?? 0,
    alias: link.alias ?? '',
    ...(link.mac === undefined ? {} : { mac: link.mac }),
    ...(link.group !== undefined && isOurGroup(link) ? { group: link.group } : {}),
    ...(link.hairpin === undefined ? {} : { hairpin: link.hairpin }),
    ...(link.isolated === undefined ? {} : { isolated: link.isolated }),
  };
}

const settingNames = ['up', 'mtu', 'mac', 'master', 'alias', 'group', 'hairpin', 'isolated'] as const;
type SettingName = (typeof settingNames)[number];

/** Names of the desired settings that the link does not have. */
function differing(link: links.Link, desired: links.LinkSettings): SettingName[] {
  const current = settingsOf(link);
  const names = settingNames.filter((name) => desired[name] !== undefined && desired[name] !== current[name]);
  return isOurGroup(link) ? [...names, 'group'] : names;
}

/** The same as text, with the observed values: `up false`, `mtu 1500`. */
export function differences(link: links.Link, desired: links.LinkSettings): string[] {
  const current = settingsOf(link);
  return differing(link, desired).map((name) => `${name} ${current[name] ?? 'unset'}`);
}

/**
 * Sets those of the desired settings that differ; undo restores the former ones. The others are not sent: setting even
 * the same MAC would make the kernel flush the neighbours of the link.
 */
export function change(session: Session, location: LinkLocation, desired: links.LinkSettings): Undo {
  const before = required(session, location);
  const current = settingsOf(before);
  const names = differing(before, desired);
  if (names.includes('master')) names.push('hairpin', 'isolated'); // a new master means a new port with default settings
  const pick = (from: links.LinkSettings): links.LinkSettings =>
    Object.fromEntries(names.filter((name) => from[name] !== undefined).map((name) => [name, from[name]]));
  applySettings(session, location, pick({ ...desired, group: 0 })); // group 0: see isOurGroup
  return () => applySettings(session, location, pick(current));
}

/** Sets the master first: the kernel rejects port settings (EOPNOTSUPP) of a link that is not a port. */
export function applySettings(
  session: Session,
  location: LinkLocation,
  { master, ...others }: links.LinkSettings,
): void {
  if (master !== undefined) links.changeLink(session.route(location.ns), location.name, { master });
  if (Object.keys(others).length > 0) links.changeLink(session.route(location.ns), location.name, others);
}

/** A renamed link, found by other properties; undefined when it or its namespace does not exist. Lists all links. */
export function findRenamed(
  session: Session,
  ns: string | undefined,
  matches: (link: links.Link) => boolean,
): links.Link | undefined {
  try {
    return links.listLinks(session.route(ns)).find(matches);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** The link of this kind under another name, identified by its owner text. */
export const findByOwner = (
  session: Session,
  { ns, kind, owner }: { ns?: string; kind: string; owner?: string },
): links.Link | undefined =>
  owner === undefined ? undefined : findRenamed(session, ns, (link) => link.kind === kind && link.alias === owner);

/** Renames a link; before Linux 6.2 only a link that is down can be renamed. */
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

export const canonicalMac = (mac: string): string =>
  /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/.test(mac) ? mac : formatMac(parseMac(mac));

/** Does not block, because the deletion takes the kernel some 20 ms. */
async function remove(session: Session, { ns, name }: LinkLocation): Promise<boolean> {
  if (ns === undefined) return await session.remover().remove(name);
  const socket = session.privateRoute(ns);
  try {
    await links.deleteLinkAsync(socket, name);
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  } finally {
    socket.close();
  }
}

/**
 * Deletes a link of this kind. A link of another kind, or one without an alias where an owner is expected, was created
 * by another program under this name: it stays.
 */
export async function removeOurs(
  session: Session,
  object: LinkLocation & { owner?: string },
  kind: string,
): Promise<boolean> {
  const link = find(session, object);
  if (link?.kind !== kind || (object.owner !== undefined && link.alias === undefined)) return false;
  return await remove(session, object);
}

export const undoCreate = (session: Session, location: LinkLocation): Undo => {
  return async () => void (await remove(session, location));
};

export function refuseOtherKind(session: Session, location: LinkLocation, kind: string): void {
  const link = required(session, location);
  if (link.kind === kind) return;
  throw kernelError(
    errnoOf('EEXIST'),
    'ip link add',
    describeLocation(location),
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
  /** The link was created with a namespace or a veth pair of the same plan, and is deleted with it. */
  create(session, state) {
    applySettings(session, state, stateSettings(state));
    return () => undefined;
  },
  change: (session, state) => change(session, state, stateSettings(state)),
  delete: () => false,
};
