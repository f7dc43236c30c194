/** Handler of forwarding entries of VXLAN links. */
import { formatIp, parseIp, parseMac } from '@netyard/core';
import type { FdbObject } from '../../desired.ts';
import * as fdb from '../../netlink/rtnl/fdb.ts';
import * as links from '../../netlink/rtnl/link.ts';
import type { Session } from '../../netlink/session.ts';
import { absent, isGone, type ObjectHandler, observed, unlessGone } from './handler.ts';
import { canonicalMac } from './link.ts';

const entryOf = (session: Session, { link, ns, mac, remote }: FdbObject): fdb.FdbEntry => ({
  linkIndex: links.linkIndex(session.route(ns), link),
  mac: canonicalMac(mac),
  remote: formatIp(parseIp(remote)),
});

function find(session: Session, object: FdbObject): fdb.DecodedFdbEntry | undefined {
  try {
    return fdb.findFdb(session.route(object.ns), entryOf(session, object));
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

export const fdbHandler: ObjectHandler<FdbObject> = {
  check(object) {
    links.checkLinkName(object.link);
    parseMac(object.mac);
    parseIp(object.remote);
  },
  observe(session, object) {
    const found = find(session, object);
    if (!found) return absent;
    return observed([
      found.remote !== formatIp(parseIp(object.remote)) && `dst ${found.remote ?? 'none'}`,
      !found.permanent && 'not permanent',
    ]);
  },
  create(session, object) {
    const socket = session.route(object.ns);
    const entry = entryOf(session, object);
    fdb.addFdb(socket, entry);
    return () => void unlessGone(() => fdb.deleteFdb(socket, entry));
  },
  change(session, object) {
    const socket = session.route(object.ns);
    const entry = entryOf(session, object);
    const former = find(session, object);
    fdb.replaceFdb(socket, entry);
    return () => {
      if (former?.remote !== undefined) fdb.replaceFdb(socket, { ...entry, remote: former.remote });
    };
  },
  delete: (session, object) => unlessGone(() => fdb.deleteFdb(session.route(object.ns), entryOf(session, object))),
};
