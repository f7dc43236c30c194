/**
 * The driver `ipvlan`: the interface of an endpoint is attached to an interface of the host and has its MAC, so that a switch
 * sees one MAC for all containers. In the modes l3 and l3s the parent routes, and containers have a default route without a
 * gateway. Pure.
 */
import type { Driver } from '../driver.ts';
import { isWithoutParent, parentInterface } from '../parent.ts';
import { ipvlanSettings } from './options.ts';
import { openIpvlanPlanner } from './plan.ts';
import { findIpvlanConflict, validateIpvlan } from './validate.ts';

export const ipvlanDriver: Driver = {
  name: 'ipvlan',
  capabilities: {
    ...{ addresses: true, ownMac: false, hostInterface: false, ports: false, otherNetworks: true },
    hostNamespace: false,
  },
  validate: validateIpvlan,
  hasGateway: () => false,
  routesOnLink: (network) => ipvlanSettings(network).mode !== 'l2',
  parentOf: (network) => parentInterface('di-', network),
  isInternal: isWithoutParent,
  findParentConflict: findIpvlanConflict,
  linkKinds: (network) => ['ipvlan', ...(isWithoutParent(network) ? ['dummy'] : [])],
  openPlanner: openIpvlanPlanner,
};
