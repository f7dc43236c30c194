/** Handler of VLAN links. */
import type { VlanObject } from '../../desired.ts';
import * as links from '../../netlink/rtnl/link.ts';
import { checkVlanId } from '../../netlink/rtnl/vlan-message.ts';
import { type ObjectHandler, present } from './handler.ts';
import { find, findByOwner, removeOurs } from './link.ts';
import { linkHandler } from './link-handler.ts';
import { explainCreation, parentDifferences } from './parent-link.ts';

/** Created by another program under this name. */
const isForeign = (link: links.Link, { owner }: Pick<VlanObject, 'owner'>): boolean =>
  link.kind !== 'vlan' || (link.alias !== owner && !links.isUnfinished(link));

const ownHandler = linkHandler<VlanObject>({
  kind: 'vlan',
  check({ parent, id }) {
    links.checkLinkName(parent);
    checkVlanId(id);
  },
  settings: ({ owner, up }) => ({ up, alias: owner }),
  findRenamed: findByOwner,
  fixedDifferences: (session, vlan, found) => [
    ...(found.vlanId === vlan.id ? [] : [`id ${found.vlanId}`]),
    ...parentDifferences(session, { ...vlan, name: vlan.parent }, found),
  ],
  /** Without `up`: a VLAN of a parent that is down cannot be set up (ENETDOWN). */
  create(session, vlan) {
    const { ns, name, parent, id, owner } = vlan;
    const socket = session.route(ns);
    const parentIndex = links.linkIndex(socket, parent);
    explainCreation(vlan, () => links.createVlan(socket, { alias: owner, name }, parentIndex, id));
  },
});

export const vlanHandler: ObjectHandler<VlanObject> = {
  ...ownHandler,
  observe(session, vlan) {
    const link = find(session, vlan);
    return link && isForeign(link, vlan) ? present : ownHandler.observe(session, vlan);
  },
  async delete(session, { owner, ...vlan }) {
    const link = find(session, vlan);
    return link !== undefined && !isForeign(link, { owner }) && (await removeOurs(session, vlan, 'vlan'));
  },
};
