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

export const bridgeHandler: ObjectHandler<BridgeObject> = {
  check: checkSettings,
  observe(session, bridge) {
    const link = find(session, bridge);
    if (!link) {
      const renamedLink = findByOwner(session, bridge);
      return renamedLink ? observed([`named ${renamedLink.name}`]) : absent;
    }
    const kind = link.kind !== 'bridge' && `a ${link.kind ?? 'device'}`;
    return observed([kind, ...differences(link, bridgeSettings(bridge))]);
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
    return change(session, bridge, bridgeSettings(bridge));
  },
  delete: (session, bridge) => removeOurs(session, bridge, 'bridge'),
};
