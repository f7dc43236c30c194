/** Handler of ipvlan links. */
import { isDeepStrictEqual } from 'node:util';
import type { IpvlanObject } from '../../desired.ts';
import type { IpvlanSettings } from '../../netlink/rtnl/ipvlan-message.ts';
import * as links from '../../netlink/rtnl/link.ts';
import type { Session } from '../../netlink/session.ts';
import { absent, type ObjectHandler, observed, type Undo } from './handler.ts';
import {
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

const linkSettings = ({ mtu, up }: IpvlanObject): links.LinkSettings => ({ up, ...(mtu === undefined ? {} : { mtu }) });

/** The link under another name. Those of one parent are in different namespaces. */
function findByParent(session: Session, { ns, parent }: IpvlanObject): links.Link | undefined {
  const index = find(session, { name: parent })?.index;
  if (index === undefined || ns === undefined) return undefined;
  return findRenamed(session, ns, ({ kind, peerIndex }) => kind === 'ipvlan' && peerIndex === index);
}

function restoreName(session: Session, ipvlan: IpvlanObject): Undo {
  const renamed = find(session, ipvlan) ? undefined : findByParent(session, ipvlan);
  return renamed ? rename(session, ipvlan.ns, renamed, ipvlan.name) : () => undefined;
}

function changeMode(session: Session, ipvlan: IpvlanObject): Undo {
  const former = required(session, ipvlan).ipvlan;
  const { ns, name, mode, flag } = ipvlan;
  if (isSame({ mode, flag }, former)) return () => undefined;
  links.changeIpvlan(session.route(ns), name, { mode, flag });
  return () => {
    if (former !== undefined) links.changeIpvlan(session.route(ns), name, former);
  };
}

const isSame = ({ mode, flag }: IpvlanSettings, found: IpvlanSettings | undefined): boolean =>
  isDeepStrictEqual({ mode, flag }, found);

export const ipvlanHandler: ObjectHandler<IpvlanObject> = {
  check(ipvlan) {
    checkSettings(ipvlan);
    links.checkLinkName(ipvlan.parent);
  },
  observe(session, ipvlan) {
    const link = find(session, ipvlan);
    if (!link) {
      const renamed = findByParent(session, ipvlan);
      return renamed ? observed([`named ${renamed.name}`]) : absent;
    }
    if (link.kind !== 'ipvlan') return observed([`a ${link.kind ?? 'device'}`]);
    return observed([
      hasOtherParent(session, ipvlan, link) && 'another parent',
      !isSame(ipvlan, link.ipvlan) && `mode ${link.ipvlan?.mode ?? 'unknown'} ${link.ipvlan?.flag ?? ''}`.trim(),
      ...differences(link, linkSettings(ipvlan)),
    ]);
  },
  create(session, ipvlan) {
    const { ns, name, mode, flag } = ipvlan;
    const parentIndex = links.linkIndex(session.route(undefined), ipvlan.parent);
    const { up, ...settings } = linkSettings(ipvlan);
    const elsewhere = ns === undefined ? {} : { netnsFd: session.netnsFd(ns) };
    explainCreation(ipvlan, () =>
      links.createIpvlan(session.route(undefined), { ...settings, ...elsewhere, name }, parentIndex, { mode, flag }),
    );
    try {
      change(session, ipvlan, up === undefined ? {} : { up });
    } catch (error) {
      links.deleteLink(session.route(ns), name);
      throw error;
    }
    return undoCreate(session, ipvlan);
  },
  change(session, ipvlan) {
    const undoName = restoreName(session, ipvlan);
    refuseOtherKind(session, ipvlan, 'ipvlan');
    if (hasOtherParent(session, ipvlan, required(session, ipvlan))) {
      links.deleteLink(session.route(ipvlan.ns), ipvlan.name);
      return ipvlanHandler.create(session, ipvlan);
    }
    const undoMode = changeMode(session, ipvlan);
    const undoSettings = change(session, ipvlan, linkSettings(ipvlan));
    return async () => {
      for (const undo of [undoSettings, undoMode, undoName]) await undo();
    };
  },
  delete: (session, ipvlan) => removeOurs(session, ipvlan, 'ipvlan'),
};
