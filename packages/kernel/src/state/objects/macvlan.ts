/** Handler of macvlan links. */
import type { MacvlanObject } from '../../desired.ts';
import * as links from '../../netlink/rtnl/link.ts';
import type { Session } from '../../netlink/session.ts';
import { absent, type ObjectHandler, observed, type Undo } from './handler.ts';
import {
  canonicalMac,
  change,
  checkSettings,
  differences,
  find,
  findRenamed,
  refuseOtherKind,
  removeOurs,
  rename,
  required,
  undoCreate,
} from './link.ts';
import { explainCreation, hasOtherParent } from './parent-link.ts';

const linkSettings = ({ mac, mtu, owner, up }: MacvlanObject): links.LinkSettings => ({
  up,
  ...(owner === undefined ? {} : { alias: owner }),
  ...(mac === undefined ? {} : { mac: canonicalMac(mac) }),
  ...(mtu === undefined ? {} : { mtu }),
});

/** The link under another name, identified by its MAC. */
function findByMac(session: Session, { ns, mac }: MacvlanObject): links.Link | undefined {
  if (mac === undefined) return undefined;
  return findRenamed(session, ns, (link) => link.kind === 'macvlan' && link.mac === canonicalMac(mac));
}

function restoreName(session: Session, macvlan: MacvlanObject): Undo {
  const renamed = find(session, macvlan) ? undefined : findByMac(session, macvlan);
  return renamed ? rename(session, macvlan.ns, renamed, macvlan.name) : () => undefined;
}

/** The kernel changes the mode of an existing link, except to and from passthru (macvlan_changelink). */
function changeMode(session: Session, { ns, name, mode }: MacvlanObject): Undo {
  const former = required(session, ns === undefined ? { name } : { ns, name }).macvlanMode;
  if (former === mode) return () => undefined;
  links.changeMacvlan(session.route(ns), name, mode);
  return () => {
    if (former !== undefined) links.changeMacvlan(session.route(ns), name, former);
  };
}

export const macvlanHandler: ObjectHandler<MacvlanObject> = {
  check(macvlan) {
    checkSettings(macvlan);
    links.checkLinkName(macvlan.parent);
  },
  observe(session, macvlan) {
    const link = find(session, macvlan);
    if (!link) {
      const renamed = findByMac(session, macvlan);
      return renamed ? observed([`named ${renamed.name}`]) : absent;
    }
    if (link.kind !== 'macvlan') return observed([`a ${link.kind ?? 'device'}`]);
    return observed([
      hasOtherParent(session, macvlan, link) && 'another parent',
      link.macvlanMode !== macvlan.mode && `mode ${link.macvlanMode ?? 'unknown'}`,
      ...differences(link, linkSettings(macvlan)),
    ]);
  },
  create(session, macvlan) {
    const { ns, name, mode } = macvlan;
    const parentIndex = links.linkIndex(session.route(undefined), macvlan.parent);
    const { up, mac, alias, ...settings } = linkSettings(macvlan);
    // A passthru link takes the MAC of its parent at creation; setting another one later changes the parent's, too.
    const described = alias === undefined ? {} : { alias };
    const atCreation = {
      ...settings,
      ...described,
      ...(mac === undefined || mode === 'passthru' ? {} : { mac }),
      name,
    };
    const elsewhere = ns === undefined ? {} : { netnsFd: session.netnsFd(ns) };
    explainCreation(macvlan, () =>
      links.createMacvlan(session.route(undefined), { ...atCreation, ...elsewhere }, { parentIndex, mode }),
    );
    try {
      // A separate step: setting it up fails when the parent has another link with this MAC (EADDRINUSE).
      const others = { ...(up === undefined ? {} : { up }), ...(mac === undefined ? {} : { mac }) };
      change(session, macvlan, { ...others, ...described });
    } catch (error) {
      links.deleteLink(session.route(ns), name);
      throw error;
    }
    return undoCreate(session, macvlan);
  },
  change(session, macvlan) {
    const undoName = restoreName(session, macvlan);
    refuseOtherKind(session, macvlan, 'macvlan');
    if (hasOtherParent(session, macvlan, required(session, macvlan))) {
      links.deleteLink(session.route(macvlan.ns), macvlan.name);
      return macvlanHandler.create(session, macvlan);
    }
    const undoMode = changeMode(session, macvlan);
    const undoSettings = change(session, macvlan, linkSettings(macvlan));
    return async () => {
      for (const undo of [undoSettings, undoMode, undoName]) await undo();
    };
  },
  delete: (session, macvlan) => removeOurs(session, macvlan, 'macvlan'),
};
