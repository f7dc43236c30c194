/** Translates the body of POST /networks/create; the network package checks what it requests. Pure. */
import { type CreateNetworkRequest, type Family, familyOfAddress, type IpamPool, perFamily } from '@netyard/network';
import type { NetworkCreateBody } from '../schemas/bodies.ts';

/** Of a body without the fields that are newer than the client's API version. */
export function translateNetworkCreate(body: NetworkCreateBody): CreateNetworkRequest {
  const configFrom = body.ConfigFrom?.Network ?? '';
  const pools = (body.IPAM?.Config ?? []).map(translatePool);
  const enable: Partial<Record<Family, boolean>> = {};
  if (body.EnableIPv4 !== undefined && body.EnableIPv4 !== null) enable.v4 = body.EnableIPv4;
  if (body.EnableIPv6 !== undefined && body.EnableIPv6 !== null) enable.v6 = body.EnableIPv6;
  return {
    name: body.Name,
    driver: body.Driver === '' ? 'bridge' : body.Driver,
    scope: body.Scope,
    ingress: body.Ingress,
    configOnly: body.ConfigOnly,
    ...(configFrom === '' ? {} : { configFrom }),
    enable,
    ipam: {
      driver: body.IPAM?.Driver || 'default',
      ...(body.IPAM ? { options: body.IPAM.Options } : {}),
      ...perFamily((family) => pools.filter(({ subnet }) => familyOfAddress(subnet) === family)),
    },
    internal: body.Internal,
    attachable: body.Attachable,
    options: body.Options,
    labels: body.Labels,
  };
}

type PoolRequest = NonNullable<NetworkCreateBody['IPAM']>['Config'][number];

const translatePool = (pool: PoolRequest): IpamPool => ({
  subnet: pool.Subnet,
  ...(pool.Gateway === '' ? {} : { gateway: pool.Gateway }),
  ...(pool.IPRange === '' ? {} : { range: pool.IPRange }),
  ...(Object.keys(pool.AuxiliaryAddresses).length === 0 ? {} : { auxAddresses: pool.AuxiliaryAddresses }),
});
