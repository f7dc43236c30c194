/**
 * The driver `macvlan`: the interface of an endpoint is attached to an interface of the host, with a MAC of its own on the
 * segment of that one. The host neither routes nor filters its traffic. Pure.
 */
import type { Driver } from '../driver.ts';
import { macvlanSettings } from './options.ts';
import { openMacvlanPlanner } from './plan.ts';
import { validateMacvlan } from './validate.ts';

export const macvlanDriver: Driver = {
  name: 'macvlan',
  capabilities: { addresses: true, hostInterface: false, ports: false, otherNetworks: true, hostNamespace: false },
  validate: validateMacvlan,
  hasGateway: () => false,
  parentOf(network) {
    const { parent, mode } = macvlanSettings(network);
    return parent === '' ? undefined : { link: parent, exclusive: mode === 'passthru' };
  },
  openPlanner: openMacvlanPlanner,
};
