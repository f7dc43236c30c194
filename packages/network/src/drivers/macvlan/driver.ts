/**
 * The driver `macvlan`: the interface of an endpoint is attached to an interface of the host, with a MAC of its own on the
 * segment of that one. The host neither routes nor filters its traffic. Pure.
 */
import type { Driver } from '../driver.ts';
import { isWithoutParent, parentInterface } from '../parent.ts';
import { hostAccessAddresses } from './host-access.ts';
import { openMacvlanPlanner } from './plan.ts';
import { findMacvlanConflict, validateMacvlan } from './validate.ts';

export const macvlanDriver: Driver = {
  name: 'macvlan',
  capabilities: {
    ...{ addresses: true, ownMac: true, hostInterface: false, ports: false, otherNetworks: true },
    hostNamespace: false,
  },
  validate: validateMacvlan,
  hasGateway: () => false,
  parentOf: (network) => parentInterface('dm-', network),
  isInternal: isWithoutParent,
  reservedAddresses: hostAccessAddresses,
  findParentConflict: findMacvlanConflict,
  linkKinds: (network) => ['macvlan', ...(isWithoutParent(network) ? ['dummy'] : [])],
  openPlanner: openMacvlanPlanner,
};
