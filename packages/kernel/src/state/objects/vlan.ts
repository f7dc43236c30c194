/** Handler of VLAN links. */
import type { VlanObject } from '../../desired.ts';
import * as links from '../../netlink/rtnl/link.ts';
import { checkVlanId } from '../../netlink/rtnl/vlan-message.ts';
import type { Session } from '../../netlink/session.ts';
import { absent, type ObjectHandler, observed } from './handler.ts';
import {
  change,
  checkSettings,
  differences,
  find,
  findByOwner,
  removeOurs,
  rename,
  required,
  undoCreate,
} from './link.ts';
import { explainCreation } from './parent-link.ts';

const linkSettings = ({ owner, up }: VlanObject): links.LinkSettings => ({ up, alias: owner });

/** Created by another program under this name. */
const isForeign = (link: links.Link, { owner }: Pick<VlanObject, 'owner'>): boolean =>
  link.kind !== 'vlan' || (link.alias !== owner && !links.isUnfinished(link));

/** Differences in attributes that can only be set at creation. */
function fixedDifferences(session: Session, vlan: VlanObject, link: links.Link): string[] {
  const parent = find(session, { ...vlan, name: vlan.parent })?.index;
  return [
    ...(link.vlanId === vlan.id ? [] : [`id ${link.vlanId}`]),
    ...(parent === undefined || link.peerIndex === parent ? [] : ['another parent']),
  ];
}

export const vlanHandler: ObjectHandler<VlanObject> = {
  check(vlan) {
    checkSettings(vlan);
    links.checkLinkName(vlan.parent);
    checkVlanId(vlan.id);
  },
  observe(session, vlan) {
    const link = find(session, vlan);
    if (!link) {
      const renamed = findByOwner(session, vlan);
      return renamed ? observed([`named ${renamed.name}`]) : absent;
    }
    if (isForeign(link, vlan)) return observed([]);
    return observed([...fixedDifferences(session, vlan, link), ...differences(link, linkSettings(vlan))]);
  },
  create(session, vlan) {
    const socket = session.route(vlan.ns);
    const { up, ...settings } = linkSettings(vlan);
    const parentIndex = links.linkIndex(socket, vlan.parent);
    explainCreation(vlan, () => links.createVlan(socket, { ...settings, name: vlan.name }, parentIndex, vlan.id));
    try {
      // A separate step: a VLAN of a parent that is down cannot be set up (ENETDOWN).
      if (up) links.changeLink(socket, vlan.name, { up });
    } catch (error) {
      links.deleteLink(socket, vlan.name);
      throw error;
    }
    return undoCreate(session, vlan);
  },
  change(session, vlan) {
    const renamed = find(session, vlan) ? undefined : findByOwner(session, vlan);
    const undoName = renamed ? rename(session, vlan.ns, renamed, vlan.name) : () => undefined;
    if (fixedDifferences(session, vlan, required(session, vlan)).length > 0) {
      links.deleteLink(session.route(vlan.ns), vlan.name);
      return vlanHandler.create(session, vlan);
    }
    const undoSettings = change(session, vlan, linkSettings(vlan));
    return async () => {
      await undoSettings();
      await undoName();
    };
  },
  async delete(session, { owner, ...vlan }) {
    const link = find(session, vlan);
    return link !== undefined && !isForeign(link, { owner }) && (await removeOurs(session, vlan, 'vlan'));
  },
};
