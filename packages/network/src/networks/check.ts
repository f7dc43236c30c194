/** Checks the request for a new network: Docker's checks in Docker's order, with its messages. Changes nothing. */
import { NetyardError } from '@netyard/core';
import type { CreateNetworkRequest, NetworkIpam, NetworkRecord, NetworkSettings } from '../contract.ts';
import type { Driver } from '../drivers/driver.ts';
import { findDriver } from '../drivers/index.ts';
import { overlayDriver } from '../drivers/overlay/driver.ts';
import type { Family } from '../family.ts';
import { checkPools } from '../ipam/check-pools.ts';
import { checkConfigRules, configurationOf } from './config-networks.ts';
import { enabledFamilies } from './families.ts';
import { isPredefinedName } from './predefined.ts';

/** A network as its record will have it, apart from the subnets, which are not allocated yet. */
export type NetworkDraft = Omit<NetworkRecord, 'id' | 'created' | 'predefined'>;

type Existing = ReadonlyMap<string, NetworkRecord>;

/** `driver` is undefined for a configuration-only network. @param defaults options by driver */
export function checkCreate(
  given: CreateNetworkRequest,
  networks: Existing,
  defaults: NetworkSettings['defaultNetworkOptions'] = {},
): { driver: Driver | undefined; draft: NetworkDraft } {
  const options = { ...(given.configFrom ? {} : defaults[given.driver]), ...given.options };
  const request = { ...given, options };
  const { name } = request;
  if (isPredefinedName(name))
    throw new NetyardError('forbidden', `operation is not permitted on predefined ${name} network `);
  const enabled = enabledFamilies(request);
  checkPools([...(request.ipam?.v4 ?? []), ...(enabled.v6 ? (request.ipam?.v6 ?? []) : [])]);
  if (name.trim() === '') throw new NetyardError('invalid', 'invalid name: name is empty');
  if ([...networks.values()].some((record) => record.name === name))
    throw new NetyardError('conflict', `network with name ${name} already exists`);
  checkConfigRules(request, enabled);
  const own = draftOf(request, enabled);
  if (request.configOnly) return { driver: undefined, draft: configurationOnly(own) };
  const driver = findDriver(request.driver);
  if (!driver) throw new NetyardError('not-found', `plugin "${request.driver}" not found`);
  if (request.ingress) throw new NetyardError('forbidden', 'Ingress network can only be global scope network');
  const draft = request.configFrom ? { ...own, ...configurationOf(networks, request.configFrom) } : own;
  checkScope(request);
  checkIpamDriver(draft.ipam.driver);
  const [problem] = driver.validate(draft);
  if (problem) throw problem;
  return { driver, draft };
}

function draftOf(request: CreateNetworkRequest, enabled: Record<Family, boolean>): NetworkDraft {
  const { name, driver, internal = false, attachable = false, options = {}, labels = {} } = request;
  const { v4 = [], v6 = [], driver: ipamDriver = 'default', options: ipamOptions } = request.ipam ?? {};
  const ipam: NetworkIpam = {
    driver: ipamDriver,
    ...(ipamOptions === undefined ? {} : { options: ipamOptions }),
    ...(enabled.v4 ? { v4 } : {}),
    ...(enabled.v6 ? { v6 } : {}),
  };
  return { name, driver, ipam, internal, attachable, options, labels };
}

/** It has no addresses of its own, and Docker's driver of networks without interfaces. */
function configurationOnly(draft: NetworkDraft): NetworkDraft {
  return { ...draft, driver: 'null', ipam: { driver: draft.ipam.driver }, configuration: draft.ipam };
}

/** Networks of the cluster have the driver overlay, and the scope `cluster`, or `swarm` as Docker shows it. */
function checkScope({ scope = '', driver }: CreateNetworkRequest): void {
  const isOverlay = driver === overlayDriver.name;
  if (scope === 'cluster' && !isOverlay)
    throw new NetyardError('invalid', `networks of scope cluster have the driver overlay, not ${driver}`);
  if (scope === 'local' && isOverlay)
    throw new NetyardError('invalid', 'networks of the driver overlay have the scope cluster, not local');
  if (isOverlay && ['cluster', 'swarm'].includes(scope)) return;
  if (scope === 'swarm')
    throw new NetyardError('forbidden', 'cannot create a swarm scoped network when swarm is not active');
  if (scope !== '' && scope !== 'local')
    throw new NetyardError('not-implemented', `networks of scope ${scope} are not implemented yet`);
}

function checkIpamDriver(name: string): void {
  if (name === 'default') return;
  if (name === 'null') throw new NetyardError('not-implemented', 'the IPAM driver "null" is not implemented yet');
  throw new NetyardError('not-found', `plugin "${name}" not found`);
}
