/**
 * Configuration-only networks (`--config-only`), and networks that are created from one (`--config-from`). Docker's rules
 * and messages (moby daemon/libnetwork/network.go, validateConfiguration). Pure.
 */
import { NetyardError } from '@netyard/core';
import type { CreateNetworkRequest, NetworkRecord } from '../contract.ts';
import type { Family } from '../family.ts';

const operatorFields =
  'configuration network can only contain network specific fields. Network operator fields like [ ingress | internal | attachable | scope ] are not supported.';

export function checkConfigRules(request: CreateNetworkRequest, enabled: Record<Family, boolean>): void {
  const { configOnly, configFrom, internal, attachable, ingress, scope } = request;
  const rejectIf = (condition: boolean, message: string): void => {
    if (condition) throw new NetyardError('forbidden', message);
  };
  rejectIf(configOnly === true && (internal || attachable || ingress || Boolean(scope)), operatorFields);
  if (!configFrom) return;
  rejectIf(configOnly === true, 'a configuration network cannot depend on another configuration network');
  const forbidden = (what: string): string =>
    `${what} are not supported if the network depends on a configuration network`;
  rejectIf(hasOwnConfiguration(request, enabled), forbidden('user-specified configurations'));
  rejectIf(Object.keys(request.options ?? {}).length > 0, forbidden('network driver options'));
}

function hasOwnConfiguration({ ipam, labels = {} }: CreateNetworkRequest, enabled: Record<Family, boolean>): boolean {
  const { driver = 'default', options = {}, v4 = [], v6 = [] } = ipam ?? {};
  const isDefault = driver === 'default' && enabled.v4 && !enabled.v6;
  return !isDefault || [v4, v6, Object.keys(labels), Object.keys(options)].some((values) => values.length > 0);
}

type Configuration = Pick<NetworkRecord, 'ipam' | 'options' | 'labels' | 'configFrom'>;

/** Throws `not-found` for a name that no configuration-only network has. */
export function configurationOf(networks: ReadonlyMap<string, NetworkRecord>, name: string): Configuration {
  for (const { name: other, configuration: ipam, options, labels } of networks.values())
    if (ipam && other === name) return { ipam, options, labels, configFrom: name };
  throw new NetyardError('not-found', `configuration network ${JSON.stringify(name)} does not exist`);
}

/** Throws `forbidden` for the configuration of another network. */
export function checkUnused(
  networks: ReadonlyMap<string, NetworkRecord>,
  { name, configuration }: NetworkRecord,
): void {
  if (configuration === undefined) return;
  for (const { configFrom } of networks.values())
    if (configFrom === name)
      throw new NetyardError(
        'forbidden',
        `error while removing network: configuration network ${JSON.stringify(name)} is in use`,
      );
}
