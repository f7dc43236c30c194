/** Handler of dummy links. */
import type { DummyObject } from '../../desired.ts';
import * as links from '../../netlink/rtnl/link.ts';
import { findByOwner } from './link.ts';
import { linkHandler } from './link-handler.ts';
import { explainCreation } from './parent-link.ts';

const linkSettings = ({ owner, up }: DummyObject): links.LinkSettings => ({
  up,
  ...(owner === undefined ? {} : { alias: owner }),
});

export const dummyHandler = linkHandler<DummyObject>({
  kind: 'dummy',
  settings: linkSettings,
  findRenamed: findByOwner,
  create: (session, dummy) =>
    explainCreation(dummy, () =>
      links.createDummy(session.route(dummy.ns), { ...linkSettings(dummy), name: dummy.name }),
    ),
});
