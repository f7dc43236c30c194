/** Checks the options of a macvlan network with Docker's messages (moby daemon/libnetwork/drivers/macvlan). Pure. */
import { NetyardError } from '@netyard/core';
import { valuesOf } from '../../family.ts';
import type { NetworkSpec } from '../driver.ts';
import { modes, mtuOption } from './options.ts';

export function validateMacvlan({ ipam, options }: NetworkSpec): NetyardError[] {
  const { parent = '', macvlan_mode: mode = '', [mtuOption]: mtu = '0' } = options;
  const errors: NetyardError[] = [];
  if (valuesOf(ipam).length === 0) errors.push(new NetyardError('invalid', 'IPv4 or IPv6 must be enabled'));
  if (mode !== '' && !modes.some((one) => one === mode)) {
    const fallback = "'bridge' mode is the macvlan driver default";
    errors.push(new NetyardError('failed', `requested macvlan mode '${mode}' is not valid, ${fallback}`));
  }
  if (parent === 'lo') errors.push(new NetyardError('failed', 'loopback interface is not a valid macvlan parent link'));
  if (parent === '') {
    const hint = 'name an interface of the host with -o parent=eth0, or use a bridge network with --internal';
    const message = 'macvlan networks without the option parent are not implemented yet';
    errors.push(new NetyardError('not-implemented', message, { hint }));
  }
  if (!/^\d+$/.test(mtu)) errors.push(new NetyardError('invalid', `invalid MTU number: ${mtu}`));
  return errors;
}
