/** Checks the options of a macvlan network with Docker's messages (moby daemon/libnetwork/drivers/macvlan). Pure. */
import { NetyardError } from '@netyard/core';
import type { NetworkRecord } from '../../contract.ts';
import type { NetworkSpec } from '../driver.ts';
import { validateParentOptions } from '../parent-options.ts';
import { validateHostAccess } from './host-access.ts';
import { macvlanSettings, modes } from './options.ts';

export function validateMacvlan(network: NetworkSpec): NetyardError[] {
  const { macvlan_mode: mode = '' } = network.options;
  const errors: NetyardError[] = [];
  if (mode !== '' && !modes.some((one) => one === mode)) {
    const fallback = "'bridge' mode is the macvlan driver default";
    errors.push(new NetyardError('failed', `requested macvlan mode '${mode}' is not valid, ${fallback}`));
  }
  return [...errors, ...validateParentOptions('macvlan', network), ...validateHostAccess(network, mode || 'bridge')];
}

/** Several networks may share a parent, but not with one in mode passthru. @param others on the same parent */
export function findMacvlanConflict(
  network: NetworkRecord,
  others: readonly NetworkRecord[],
): NetyardError | undefined {
  const { parent, mode } = macvlanSettings(network);
  const other = others.find((one) => mode === 'passthru' || macvlanSettings(one).mode === 'passthru');
  if (other === undefined) return undefined;
  const using = `macvlan network ${other.id} is already using parent interface ${parent}`;
  return new NetyardError(
    'failed',
    mode === 'passthru' ? `cannot use mode passthru, ${using}` : `${using} in mode passthru`,
  );
}
