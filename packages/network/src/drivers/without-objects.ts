/** Drivers of one predefined network each, without addresses and kernel objects: `host` and `null`. Pure. */
import { NetyardError } from '@netyard/core';
import type { Driver, NetworkPlanner } from './driver.ts';

const noObjects: NetworkPlanner = {
  bridge: undefined,
  planNetwork: () => [],
  planEndpoint: () => [],
  planHostElements: () => [],
  planInterface: () => [],
  planDefaultRoutes: () => [],
  planSources: () => [],
  planPorts: () => [],
};

export const driverWithoutObjects = (name: string, { hostNamespace }: { hostNamespace: boolean }): Driver => ({
  name,
  capabilities: {
    ...{ addresses: false, ownMac: false, hostInterface: false, ports: false, otherNetworks: false },
    hostNamespace,
  },
  validate: () => [new NetyardError('forbidden', `only one instance of "${name}" network is allowed`)],
  hasGateway: () => false,
  parentOf: () => undefined,
  openPlanner: () => noObjects,
});
