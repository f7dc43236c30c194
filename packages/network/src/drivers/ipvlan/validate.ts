/** Checks the options of an ipvlan network with Docker's messages (moby daemon/libnetwork/drivers/ipvlan). Pure. */
import { NetyardError } from '@netyard/core';
import type { NetworkRecord } from '../../contract.ts';
import { advertisementOptions } from '../advertisement.ts';
import type { NetworkSpec } from '../driver.ts';
import { hostAccessOption } from '../macvlan/host-access.ts';
import { validateParentOptions } from '../parent-options.ts';
import { flags, ipvlanSettings, modes } from './options.ts';

export function validateIpvlan(network: NetworkSpec): NetyardError[] {
  const { ipvlan_mode: mode = '', ipvlan_flag: flag = '' } = network.options;
  const errors: NetyardError[] = [];
  const reject = (what: string): void => void errors.push(new NetyardError('failed', `requested ipvlan ${what}`));
  if (mode !== '' && !modes.some((one) => one === mode))
    reject(`mode '${mode}' is not valid, 'l2' mode is the ipvlan driver default`);
  if (flag !== '' && !flags.some((one) => one === flag))
    reject(`flag '${flag}' is not valid, 'bridge' is the ipvlan driver default`);
  if (network.options[hostAccessOption] !== undefined)
    errors.push(
      new NetyardError('not-implemented', `option ${hostAccessOption} is not implemented for ipvlan networks`),
    );
  const [advertised] = advertisementOptions.filter((key) => network.options[key] !== undefined);
  if (advertised !== undefined && mode !== '' && mode !== 'l2')
    errors.push(new NetyardError('invalid', `option ${advertised} has no effect in mode ${mode}, which has no ARP`));
  return [...errors, ...validateParentOptions('ipvlan', network)];
}

/** The kernel has one mode per parent, so networks do not share it. @param others on the same parent */
export function findIpvlanConflict(network: NetworkRecord, others: readonly NetworkRecord[]): NetyardError | undefined {
  const [other] = others;
  if (other === undefined) return undefined;
  const { parent } = ipvlanSettings(network);
  // Docker names the network as its dummy interface would be named.
  const message = `network di-${other.id.slice(0, 12)} is already using parent interface ${parent}`;
  return new NetyardError('failed', message, {
    hint: `use network ${other.name}, or a VLAN sub-interface of ${parent}`,
  });
}
