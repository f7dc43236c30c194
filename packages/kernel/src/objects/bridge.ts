/** Bridges as objects of a plan. */
import type { BridgeObject } from '../desired.ts';
import * as links from '../rtnl/link.ts';
import { absent, type ObjectHandler, observed } from './handler.ts';
import {
  canonicalMac,
  change,
  checkSettings,
  differences,
  find,
  refuseOtherKind,
  removeOurs,
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
    if (!link) return absent;
    const kind = link.kind !== 'bridge' && `a ${link.kind ?? 'device'}`;
    return observed([kind, ...differences(link, bridgeSettings(bridge))]);
  },
  create(session, bridge) {
    links.createBridge(session.route(bridge.ns), { ...bridgeSettings(bridge), name: bridge.name });
    return undoCreate(session, bridge);
  },
  change(session, bridge) {
    refuseOtherKind(session, bridge, 'bridge');
    return change(session, bridge, bridgeSettings(bridge));
  },
  delete: (session, bridge) => removeOurs(session, bridge, 'bridge'),
};
