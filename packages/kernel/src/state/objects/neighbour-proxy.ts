/** Proxy entries of the neighbour table: the host answers for an address of a host behind it. */
import { parseIp } from '@netyard/core';
import type { NeighbourProxyObject } from '../../desired.ts';
import * as links from '../../netlink/rtnl/link.ts';
import * as proxies from '../../netlink/rtnl/neighbour.ts';
import type { Session } from '../../netlink/session.ts';
import { indexOf, unlessDependencyMissing } from './address.ts';
import { absent, type ObjectHandler, present, unlessGone } from './handler.ts';

const proxyOf = (session: Session, { link, ns, address, protocol }: NeighbourProxyObject): proxies.NeighbourProxy => ({
  linkIndex: indexOf(session, link, ns),
  address,
  protocol,
});

const findProxy = (session: Session, object: NeighbourProxyObject): proxies.NeighbourProxy | undefined =>
  unlessDependencyMissing(() => proxies.findNeighbourProxy(session.route(object.ns), proxyOf(session, object)));

const deleteProxy = (session: Session, object: NeighbourProxyObject): boolean =>
  unlessGone(() => proxies.deleteNeighbourProxy(session.route(object.ns), proxyOf(session, object)));

function add(session: Session, object: NeighbourProxyObject) {
  proxies.addNeighbourProxy(session.route(object.ns), proxyOf(session, object));
  return () => {
    deleteProxy(session, object);
  };
}

export const neighbourProxyHandler: ObjectHandler<NeighbourProxyObject> = {
  check(object) {
    links.checkLinkName(object.link);
    parseIp(object.address);
  },
  observe: (session, object) => (findProxy(session, object) ? present : absent),
  create: add,
  change: add,
  delete: (session, object) => findProxy(session, object)?.protocol === object.protocol && deleteProxy(session, object),
};
