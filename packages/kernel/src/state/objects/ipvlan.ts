/** Handler of ipvlan links. */
import { isDeepStrictEqual } from 'node:util';
import type { IpvlanObject } from '../../desired.ts';
import type { IpvlanSettings } from '../../netlink/rtnl/ipvlan-message.ts';
import * as links from '../../netlink/rtnl/link.ts';
import type { Session } from '../../netlink/session.ts';
import { find, findRenamed } from './link.ts';
import { linkHandler } from './link-handler.ts';
import { createAttached, parentDifferences } from './parent-link.ts';

const mtuSetting = ({ mtu }: IpvlanObject): links.LinkSettings => (mtu === undefined ? {} : { mtu });

/** The link under another name. Those of one parent are in different namespaces. */
function findByParent(session: Session, { ns, parent }: IpvlanObject): links.Link | undefined {
  const index = find(session, { name: parent })?.index;
  if (index === undefined || ns === undefined) return undefined;
  return findRenamed(session, ns, ({ kind, peerIndex }) => kind === 'ipvlan' && peerIndex === index);
}

const isSame = ({ mode, flag }: IpvlanSettings, found: IpvlanSettings | undefined): boolean =>
  isDeepStrictEqual({ mode, flag }, found);

export const ipvlanHandler = linkHandler<IpvlanObject>({
  kind: 'ipvlan',
  check: ({ parent }) => links.checkLinkName(parent),
  settings: (ipvlan) => ({ up: ipvlan.up, ...mtuSetting(ipvlan) }),
  findRenamed: findByParent,
  fixedDifferences: (session, { parent }, found) => parentDifferences(session, { name: parent }, found),
  attributes: {
    differences: (ipvlan, { ipvlan: found }) =>
      isSame(ipvlan, found) ? [] : [`mode ${found?.mode ?? 'unknown'} ${found?.flag ?? ''}`.trim()],
    change(session, ipvlan, { ipvlan: former }) {
      const { ns, name, mode, flag } = ipvlan;
      if (isSame(ipvlan, former)) return () => undefined;
      links.changeIpvlan(session.route(ns), name, { mode, flag });
      return () => {
        if (former !== undefined) links.changeIpvlan(session.route(ns), name, former);
      };
    },
  },
  create(session, ipvlan) {
    const { mode, flag } = ipvlan;
    createAttached(session, ipvlan, (socket, location, parentIndex) =>
      links.createIpvlan(socket, { ...mtuSetting(ipvlan), ...location }, parentIndex, { mode, flag }),
    );
  },
});
