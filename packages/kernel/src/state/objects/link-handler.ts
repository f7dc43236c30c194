/** Makes the handler of a kind of links from what distinguishes it from the other kinds. */
import type { DummyObject, IpvlanObject, MacvlanObject, VlanObject, VxlanObject } from '../../desired.ts';
import * as links from '../../netlink/rtnl/link.ts';
import type { Session } from '../../netlink/session.ts';
import { absent, type ObjectHandler, observed, type Undo } from './handler.ts';
import {
  change,
  checkSettings,
  differences,
  find,
  refuseOtherKind,
  removeOurs,
  rename,
  required,
  undoCreate,
} from './link.ts';

type LinkObject = MacvlanObject | IpvlanObject | VlanObject | VxlanObject | DummyObject;

export interface LinkKind<O extends LinkObject> {
  kind: O['kind'];
  /** Checks more than the name and the MAC. Throws `invalid`. Pure. */
  check?(object: O): void;
  settings(object: O): links.LinkSettings;
  /** The link under another name. Without this, a renamed link counts as absent. */
  findRenamed?(session: Session, object: O): links.Link | undefined;
  /** Differences in attributes that can only be set at creation: the link is created again. */
  fixedDifferences?(session: Session, object: O, found: links.Link): string[];
  /** Attributes of the kind that can be changed. */
  attributes?: {
    differences(object: O, found: links.Link): string[];
    /** From those of the observed link. */
    change(session: Session, object: O, found: links.Link): Undo;
  };
  /** Creates the link. Settings that may fail are left out: they are set in a separate step. */
  create(session: Session, object: O): void;
}

export function linkHandler<O extends LinkObject>(of: LinkKind<O>): ObjectHandler<O> {
  const { kind, settings, findRenamed = () => undefined, fixedDifferences = () => [], attributes } = of;
  const handler: ObjectHandler<O> = {
    check(object) {
      checkSettings(object);
      of.check?.(object);
    },
    observe(session, object) {
      const link = find(session, object);
      if (!link) {
        const renamed = findRenamed(session, object);
        return renamed ? observed([`named ${renamed.name}`]) : absent;
      }
      if (link.kind !== kind) return observed([`a ${link.kind ?? 'device'}`]);
      return observed([
        ...fixedDifferences(session, object, link),
        ...(attributes?.differences(object, link) ?? []),
        ...differences(link, settings(object)),
      ]);
    },
    create(session, object) {
      of.create(session, object);
      try {
        change(session, object, settings(object));
      } catch (error) {
        links.deleteLink(session.route(object.ns), object.name);
        throw error;
      }
      return undoCreate(session, object);
    },
    change(session, object) {
      const renamed = find(session, object) ? undefined : findRenamed(session, object);
      const undoName = renamed ? rename(session, object.ns, renamed, object.name) : () => undefined;
      refuseOtherKind(session, object, kind);
      const link = required(session, object);
      if (fixedDifferences(session, object, link).length > 0) {
        links.deleteLink(session.route(object.ns), object.name);
        return handler.create(session, object);
      }
      const undoAttributes = attributes?.change(session, object, link) ?? (() => undefined);
      const undoSettings = change(session, object, settings(object));
      return async () => {
        for (const undo of [undoSettings, undoAttributes, undoName]) await undo();
      };
    },
    delete: (session, object) => removeOurs(session, object, kind),
  };
  return handler;
}
