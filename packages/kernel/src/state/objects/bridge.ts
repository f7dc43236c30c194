/** Handler of bridges. */
import type { BridgeObject } from '../../desired.ts';
import * as links from '../../netlink/rtnl/link.ts';
import { absent, type ObjectHandler, observed } from './handler.ts';
import {
  canonicalMac,
  change,
  checkSettings,
  differences,
  find,
  findByOwner,
  refuseOtherKind,
  removeOurs,
  rename,
  required,
  undoCreate,
} from './link.ts';

function bridgeSettings({ mac, mtu, owner, up }: BridgeObject): links.LinkSettings {
  return {
    up,
    ...(mac === undefined ? {} : { mac: canonicalMac(mac) }),
    ...(mtu === undefined ? {} : { mtu }),
    ...(owner === undefined ? {} : { alias: owner }),
  };
}

const isForeign = (link: links.Link, { owner, keep }: BridgeObject): boolean => keep === true && link.alias !== owner;

/** The settings that the observed bridge has to have. */
const settingsFor = (link: links.Link, bridge: BridgeObject): links.LinkSettings =>
  isForeign(link, bridge) ? { up: bridge.up } : bridgeSettings(bridge);

export const bridgeHandler: ObjectHandler<BridgeObject> = {
  check: checkSettings,
  observe(session, bridge) {
    const link = find(session, bridge);
    if (!link) {
      const renamedLink = findByOwner(session, bridge);
      return renamedLink ? observed([`named ${renamedLink.name}`]) : absent;
    }
    const kind = link.kind !== 'bridge' && `a ${link.kind ?? 'device'}`;
    return observed([kind, ...differences(link, settingsFor(link, bridge))]);
  },
  create(session, bridge) {
    links.createBridge(session.route(bridge.ns), { ...bridgeSettings(bridge), name: bridge.name });
    return undoCreate(session, bridge);
  },
  change(session, bridge) {
    const renamedLink = find(session, bridge) ? undefined : findByOwner(session, bridge);
    if (renamedLink) {
      const undoName = rename(session, bridge.ns, renamedLink, bridge.name);
      const undoSettings = change(session, bridge, bridgeSettings(bridge));
      return async () => {
        await undoSettings();
        await undoName();
      };
    }
    refuseOtherKind(session, bridge, 'bridge');
    return change(session, bridge, settingsFor(required(session, bridge), bridge));
  },
  async delete(session, bridge) {
    const link = find(session, bridge);
    return link && isForeign(link, bridge) ? false : await removeOurs(session, bridge, 'bridge');
  },
};
