/** Handler of macvlan links. */
import type { MacvlanObject } from '../../desired.ts';
import * as links from '../../netlink/rtnl/link.ts';
import type { Session } from '../../netlink/session.ts';
import { canonicalMac, findRenamed } from './link.ts';
import { linkHandler } from './link-handler.ts';
import { createAttached, parentDifferences } from './parent-link.ts';

const macSetting = ({ mac }: MacvlanObject): links.LinkSettings =>
  mac === undefined ? {} : { mac: canonicalMac(mac) };

const otherSettings = ({ mtu, owner }: MacvlanObject): links.LinkSettings => ({
  ...(owner === undefined ? {} : { alias: owner }),
  ...(mtu === undefined ? {} : { mtu }),
});

/** The link under another name, identified by its MAC. */
function findByMac(session: Session, { ns, mac }: MacvlanObject): links.Link | undefined {
  if (mac === undefined) return undefined;
  return findRenamed(session, ns, (link) => link.kind === 'macvlan' && link.mac === canonicalMac(mac));
}

export const macvlanHandler = linkHandler<MacvlanObject>({
  kind: 'macvlan',
  check: ({ parent }) => links.checkLinkName(parent),
  settings: (macvlan) => ({ up: macvlan.up, ...macSetting(macvlan), ...otherSettings(macvlan) }),
  findRenamed: findByMac,
  fixedDifferences: (session, { parent }, found) => parentDifferences(session, { name: parent }, found),
  attributes: {
    differences: ({ mode }, { macvlanMode: found }) => (found === mode ? [] : [`mode ${found ?? 'unknown'}`]),
    /** The kernel changes the mode of an existing link, except to and from passthru (macvlan_changelink). */
    change(session, { ns, name, mode }, { macvlanMode: former }) {
      if (former === mode) return () => undefined;
      links.changeMacvlan(session.route(ns), name, mode);
      return () => {
        if (former !== undefined) links.changeMacvlan(session.route(ns), name, former);
      };
    },
  },
  /**
   * Without `up`, which fails when the parent has another link with this MAC (EADDRINUSE). A passthru link takes the MAC of
   * its parent at creation; setting another one later changes the parent's, too.
   */
  create(session, macvlan) {
    const { mode } = macvlan;
    const settings = { ...otherSettings(macvlan), ...(mode === 'passthru' ? {} : macSetting(macvlan)) };
    createAttached(session, macvlan, (socket, location, parentIndex) =>
      links.createMacvlan(socket, { ...settings, ...location }, { parentIndex, mode }),
    );
  },
});
