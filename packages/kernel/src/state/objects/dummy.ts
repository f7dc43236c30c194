/** Handler of dummy links. */
import type { DummyObject } from '../../desired.ts';
import * as links from '../../netlink/rtnl/link.ts';
import { absent, type ObjectHandler, observed } from './handler.ts';
import {
  change,
  checkSettings,
  differences,
  find,
  findByOwner,
  refuseOtherKind,
  removeOurs,
  rename,
  undoCreate,
} from './link.ts';
import { explainCreation } from './parent-link.ts';

const linkSettings = ({ owner, up }: DummyObject): links.LinkSettings => ({
  up,
  ...(owner === undefined ? {} : { alias: owner }),
});

export const dummyHandler: ObjectHandler<DummyObject> = {
  check: checkSettings,
  observe(session, dummy) {
    const link = find(session, dummy);
    if (!link) {
      const renamed = findByOwner(session, dummy);
      return renamed ? observed([`named ${renamed.name}`]) : absent;
    }
    const kind = link.kind !== 'dummy' && `a ${link.kind ?? 'device'}`;
    return observed([kind, ...differences(link, linkSettings(dummy))]);
  },
  create(session, dummy) {
    explainCreation(dummy, () =>
      links.createDummy(session.route(dummy.ns), { ...linkSettings(dummy), name: dummy.name }),
    );
    return undoCreate(session, dummy);
  },
  change(session, dummy) {
    const renamed = find(session, dummy) ? undefined : findByOwner(session, dummy);
    const undoName = renamed ? rename(session, dummy.ns, renamed, dummy.name) : () => undefined;
    refuseOtherKind(session, dummy, 'dummy');
    const undoSettings = change(session, dummy, linkSettings(dummy));
    return async () => {
      await undoSettings();
      await undoName();
    };
  },
  delete: (session, dummy) => removeOurs(session, dummy, 'dummy'),
};
