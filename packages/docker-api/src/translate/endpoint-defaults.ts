/**
 * Fields of a create request that belong to the endpoint of the network mode in newer API versions: the container-wide MAC
 * address (since 1.44) and `--sysctl` settings of an interface (since 1.48). Pure.
 */
import { NetyardError, parseMac } from '@netyard/core';
import { type EndpointConfig, endpointSysctlsOption } from '@netyard/network';
import { type ApiVersion, speaks } from '../versions.ts';

export interface EndpointDefaults {
  endpoints: EndpointConfig[];
  warnings: string[];
}

/**
 * Changes the endpoint of the network mode, before API 1.44 the only endpoint of the request. A request without endpoints
 * gets one; one that has others is rejected, as the container would get a network that it does not ask for.
 */
function changeMain(
  endpoints: readonly EndpointConfig[],
  { mode, version, purpose }: { mode: string; version: ApiVersion; purpose: string },
  change: (endpoint: EndpointConfig) => EndpointConfig,
): EndpointConfig[] {
  const network = mode === 'default' ? 'bridge' : mode;
  if (endpoints.length === 0) return [change({ network })];
  if (!speaks(version, 44)) return endpoints.map(change);
  if (!endpoints.some((endpoint) => endpoint.network === network))
    throw new NetyardError(
      'invalid',
      `${purpose}: HostConfig.NetworkMode must match the identity of a network in NetworkSettings.Networks`,
    );
  return endpoints.map((endpoint) => (endpoint.network === network ? change(endpoint) : endpoint));
}

/** @param given the container-wide address, not empty */
export function applyMac(
  endpoints: EndpointConfig[],
  given: string,
  mode: string,
  version: ApiVersion,
): EndpointDefaults {
  if (speaks(version, 52))
    throw new NetyardError(
      'invalid',
      'container-wide MAC address no longer supported; use endpoint-specific MAC address instead',
    );
  checkMac(given);
  if (/^(host$|none$|container:)/.test(mode))
    throw new NetyardError('invalid', 'conflicting options: mac-address and the network mode');
  const withMac = (endpoint: EndpointConfig): EndpointConfig => {
    if (!speaks(version, 44)) return { ...endpoint, macAddress: given };
    const { macAddress = given } = endpoint;
    if (macAddress !== given) throw new NetyardError('invalid', macConflict);
    return { ...endpoint, macAddress };
  };
  const purpose = 'unable to migrate container-wide MAC address to a specific network';
  const changed = changeMain(endpoints, { mode, version, purpose }, withMac);
  return { endpoints: changed, warnings: speaks(version, 44) ? [macWarning] : [] };
}

const macWarning =
  'The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.';
const macConflict =
  'the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty';

function checkMac(text: string): void {
  try {
    parseMac(text);
  } catch {
    throw new NetyardError('invalid', `invalid MAC address: ${text}`);
  }
}

/**
 * Settings such as `net.ipv4.conf.eth0.proxy_arp` become a driver option of the endpoint, for the interface does not exist
 * yet when those of the container are set, and may get another name. Since 1.48 they are rejected, as in Docker.
 */
export function moveInterfaceSysctls(
  endpoints: EndpointConfig[],
  sysctls: Readonly<Record<string, string>>,
  mode: string,
  version: ApiVersion,
): EndpointDefaults & { sysctls: Record<string, string> } {
  const isOfInterface = ([key]: [string, string]): boolean => /^net\.[^.]*\.[^.]*\.eth[^.]*\./.test(key);
  const moved = Object.entries(sysctls).filter(isOfInterface);
  if (moved.length === 0 || /^(host$|container:)/.test(mode)) return { endpoints, sysctls, warnings: [] };
  for (const [key] of moved) checkInterfaceSysctl(key, version);
  const settings = moved.map(([key, value]) => `${key.replace('.eth0.', '.IFNAME.')}=${value}`).join(',');
  const purpose = `unable to find a network for sysctl ${moved[0]?.[0]}`;
  const changed = changeMain(endpoints, { mode, version, purpose }, (endpoint) => {
    const own = endpoint.driverOptions?.[endpointSysctlsOption];
    const all = own === undefined || own === '' ? settings : `${settings},${own}`;
    return { ...endpoint, driverOptions: { ...endpoint.driverOptions, [endpointSysctlsOption]: all } };
  });
  const keys = JSON.stringify(moved.map(([key]) => key).join(','));
  const target = `${JSON.stringify(endpointSysctlsOption)}:${JSON.stringify(settings)}`;
  return {
    endpoints: changed,
    sysctls: Object.fromEntries(Object.entries(sysctls).filter((entry) => !isOfInterface(entry))),
    warnings: [`Migrated sysctl ${keys} to DriverOpts{${target}}.`],
  };
}

function checkInterfaceSysctl(key: string, version: ApiVersion): void {
  if (speaks(version, 48))
    throw new NetyardError(
      'invalid',
      `interface specific sysctl setting ${JSON.stringify(key)} must be supplied using driver option '${endpointSysctlsOption}'`,
    );
  if (key.split('.')[3] !== 'eth0')
    throw new NetyardError(
      'invalid',
      `unable to determine network endpoint for sysctl ${key}, use driver option '${endpointSysctlsOption}' to set per-interface sysctls`,
    );
}
