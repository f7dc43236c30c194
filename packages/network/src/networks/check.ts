/** Checks the request for a new network: Docker's checks in Docker's order, with its messages. Changes nothing. */
import { NetyardError } from '@netyard/core';
import type { CreateNetworkRequest, NetworkRecord } from '../contract.ts';
import type { Driver, NetworkSpec } from '../drivers/driver.ts';
import { findDriver } from '../drivers/index.ts';
import { valuesOf } from '../family.ts';
import { checkPools } from '../ipam/check-pools.ts';
import { isPredefinedName } from './predefined.ts';

/** Returns the network as its record will have it, apart from the subnets, which are not allocated yet. */
export function checkCreate(
  request: CreateNetworkRequest,
  networks: ReadonlyMap<string, Pick<NetworkRecord, 'name'>>,
): { driver: Driver; spec: NetworkSpec } {
  const { name } = request;
  if (isPredefinedName(name))
    throw new NetyardError('forbidden', `operation is not permitted on predefined ${name} network `);
  const spec = specOf(request);
  checkPools(valuesOf(spec.ipam).flat());
  if (name === '') throw new NetyardError('invalid', 'invalid name: name is empty');
  if ([...networks.values()].some((record) => record.name === name))
    throw new NetyardError('conflict', `network with name ${name} already exists`);
  const driver = findDriver(request.driver);
  if (!driver) throw new NetyardError('not-found', `plugin "${request.driver}" not found`);
  checkIpamDriver(spec.ipam.driver);
  const [problem] = driver.validate(spec);
  if (problem) throw problem;
  return { driver, spec };
}

function checkIpamDriver(name: string): void {
  if (name === 'default') return;
  if (name === 'null') throw new NetyardError('not-implemented', 'the IPAM driver "null" is not implemented yet');
  throw new NetyardError('not-found', `plugin "${name}" not found`);
}

const specOf = ({ ipam = { v4: [] }, internal = false, options = {} }: CreateNetworkRequest): NetworkSpec => ({
  ipam: { driver: 'default', ...ipam },
  internal,
  options,
});
