/** Checks and translates the body of POST /networks/create, in Docker's order and with its messages. Pure. */
import { NetyardError, parseGoBoolean } from '@netyard/core';
import {
  type CreateNetworkRequest,
  checkPools,
  type Family,
  familyOfAddress,
  type IpamPool,
  isPredefinedName,
  type PerFamily,
  perFamily,
} from '@netyard/network';
import type { NetworkCreateBody } from '../schemas/bodies.ts';
import { type ApiVersion, speaks } from '../versions.ts';

/** What the checks ask the daemon. */
export interface ExistingNetworks {
  exists(name: string): boolean;
}

/** Throws for the first problem that does not depend on the network's driver; the network package checks the rest. */
export function checkNetworkCreate(body: NetworkCreateBody, version: ApiVersion, existing: ExistingNetworks): void {
  const { Name: name } = body;
  if (isPredefinedName(name))
    throw new NetyardError('forbidden', `operation is not permitted on predefined ${name} network `);
  const asked = speaks(version, 48) ? body : { ...body, EnableIPv4: undefined };
  const { v6 } = enabledFamilies(asked);
  checkPools(poolsOf(body).filter(({ subnet }) => v6 || familyOfAddress(subnet) === 'v4'));
  if (name.trim() === '') throw new NetyardError('invalid', 'invalid name: name is empty');
  if (existing.exists(name)) throw new NetyardError('conflict', `network with name ${name} already exists`);
  checkConfigNetwork(body);
  checkUnsupported(body);
}

/** Configuration-only networks, and networks that take their configuration from one. */
function checkConfigNetwork(body: NetworkCreateBody): void {
  const from = body.ConfigFrom?.Network ?? '';
  const reject = (message: string): never => {
    throw new NetyardError('forbidden', message);
  };
  if (body.ConfigOnly && (body.Internal || body.Attachable || body.Ingress || body.Scope !== ''))
    reject(
      'configuration network can only contain network specific fields. Network operator fields like [ ingress | internal | attachable | scope ] are not supported.',
    );
  if (body.ConfigOnly && from !== '') reject('a configuration network cannot depend on another configuration network');
  const own = (body.IPAM?.Config.length ?? 0) > 0 || Object.keys(body.Labels).length > 0 || body.EnableIPv6 === true;
  if (from !== '' && own)
    reject('user-specified configurations are not supported if the network depends on a configuration network');
}

function checkUnsupported({ Scope: scope, Ingress: ingress }: NetworkCreateBody): void {
  if (ingress) throw new NetyardError('forbidden', 'Ingress network can only be global scope network');
  if (scope === 'swarm')
    throw new NetyardError('forbidden', 'cannot create a swarm scoped network when swarm is not active');
  if (scope !== '' && scope !== 'local')
    throw new NetyardError('not-implemented', `networks of scope ${scope} are not implemented yet`);
}

/** Of a checked body without the fields that are newer than the client's API version. */
export function translateNetworkCreate(body: NetworkCreateBody): CreateNetworkRequest {
  return {
    name: body.Name,
    driver: body.Driver === '' ? 'bridge' : body.Driver,
    ipam: {
      driver: body.IPAM?.Driver || 'default',
      ...(body.IPAM ? { options: body.IPAM.Options } : {}),
      ...translatePools(body),
    },
    internal: body.Internal,
    attachable: body.Attachable,
    options: body.Options,
    labels: body.Labels,
  };
}

/** IPv4 is enabled by default. The field takes precedence over the option. Throws `invalid` for a bad option. */
function enabledFamilies(body: NetworkCreateBody): Record<Family, boolean> {
  return {
    v4: body.EnableIPv4 ?? booleanOption(body.Options, 'com.docker.network.enable_ipv4') ?? true,
    v6: body.EnableIPv6 ?? booleanOption(body.Options, 'com.docker.network.enable_ipv6') ?? false,
  };
}

function booleanOption(options: Readonly<Record<string, string>>, key: string): boolean | undefined {
  const value = options[key];
  if (value === undefined) return undefined;
  const parsed = parseGoBoolean(value);
  if (parsed !== undefined) return parsed;
  throw new NetyardError('invalid', `driver-opt "${key}" is not a valid bool`);
}

/** Docker ignores the subnets of a family that is not enabled. */
function translatePools(body: NetworkCreateBody): PerFamily<IpamPool[]> {
  const enabled = enabledFamilies(body);
  const pools = poolsOf(body);
  return perFamily((family) =>
    enabled[family] ? pools.filter(({ subnet }) => familyOfAddress(subnet) === family) : undefined,
  );
}

const poolsOf = ({ IPAM }: NetworkCreateBody): IpamPool[] => (IPAM?.Config ?? []).map(translatePool);

type PoolRequest = NonNullable<NetworkCreateBody['IPAM']>['Config'][number];

const translatePool = (pool: PoolRequest): IpamPool => ({
  subnet: pool.Subnet,
  ...(pool.Gateway === '' ? {} : { gateway: pool.Gateway }),
  ...(pool.IPRange === '' ? {} : { range: pool.IPRange }),
  ...(Object.keys(pool.AuxiliaryAddresses).length === 0 ? {} : { auxAddresses: pool.AuxiliaryAddresses }),
});
