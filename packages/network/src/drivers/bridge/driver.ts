/** The driver `bridge`: a bridge on the host, and a veth pair per endpoint. Pure. */
import type { Driver } from '../driver.ts';
import { canHaveSegments, hasBridgeGateway, routerOf } from './options.ts';
import { openBridgePlanner } from './plan.ts';
import { validateBridge } from './validate.ts';

/** BR_MAX_PORTS of net/bridge/br_private.h; number 0 is not used. */
const bridgePorts = 1023;

export const bridgeDriver: Driver = {
  name: 'bridge',
  capabilities: {
    ...{ addresses: true, ownMac: true, hostInterface: true, ports: true, otherNetworks: true },
    ...{ mostPorts: bridgePorts, hostNamespace: false },
  },
  validate: validateBridge,
  hasGateway: hasBridgeGateway,
  routerOf,
  canHaveSegments,
  parentOf: () => undefined,
  openPlanner: openBridgePlanner,
};
