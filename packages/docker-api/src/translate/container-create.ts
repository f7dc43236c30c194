/** Translates the body of POST /containers/create. Pure. The network package rejects conflicting network modes. */
import { NetyardError } from '@netyard/core';
import { type ContainerConfig, plainConfig } from '@netyard/engine';
import type { EndpointConfig } from '@netyard/network';
import { acceptFields } from '../schemas/accept-fields.ts';
import { type ContainerCreateBody, createFields } from '../schemas/bodies.ts';
import { type ApiVersion, speaks } from '../versions.ts';
import { readConfig } from './config-fields.ts';
import { readHost } from './host-fields.ts';
import { translateEndpointRequest } from './network.ts';
import { emptyPortWarnings } from './ports.ts';

export interface TranslatedCreate {
  config: ContainerConfig;
  warnings: string[];
}

/** Defaults of the daemon's flags for containers that do not set the value. */
export interface CreateDefaults {
  init: boolean;
}

export function translateContainerCreate(
  asked: ContainerCreateBody,
  version: ApiVersion,
  defaults: CreateDefaults,
): TranslatedCreate {
  if (asked.hasNoConfig) throw new NetyardError('invalid', 'config cannot be empty in order to create a container');
  if (asked.Image === '' && !asked.Cmd?.length && !asked.Entrypoint?.length)
    throw new NetyardError('invalid', 'no command specified');
  const { body, warnings } = acceptFields(createFields, asked, version);
  const { endpoints, warnings: more } = translateEndpoints(body, version);
  const config = {
    ...readConfig(body),
    ...readHost(body.HostConfig, version, defaults),
    endpoints,
    ...(body.unusualLists.length > 0 ? { unusualLists: body.unusualLists } : {}),
  };
  return {
    config: plainConfig(body.Image, config),
    warnings: [...warnings, ...more, ...emptyPortWarnings(body.HostConfig, version)],
  };
}

/** Since 1.44 MAC addresses belong to endpoints; a container-wide one applies to the network of the network mode. */
function translateEndpoints(
  body: ContainerCreateBody,
  version: ApiVersion,
): { endpoints: EndpointConfig[]; warnings: string[] } {
  const given = Object.entries(body.NetworkingConfig?.EndpointsConfig ?? {});
  if (given.length > 1 && !speaks(version, 44)) {
    const names = given.map(([name]) => name).sort();
    throw new NetyardError(
      'invalid',
      `Container cannot be created with multiple network endpoints: ${names.join(', ')}`,
    );
  }
  const endpoints = given.map(([name, settings]) => translateEndpointRequest(name, settings));
  if (body.MacAddress === '') return { endpoints, warnings: [] };
  if (speaks(version, 52))
    throw new NetyardError(
      'invalid',
      'container-wide MAC address no longer supported; use endpoint-specific MAC address instead',
    );
  checkMac(body.MacAddress);
  refuseMacMode(body.HostConfig.NetworkMode);
  const mode = body.HostConfig.NetworkMode || 'default';
  if (/^(host|none|container:.*)$/.test(mode)) return { endpoints, warnings: [] };
  return {
    endpoints: withMac(endpoints, mode, body.MacAddress),
    warnings: speaks(version, 44) ? [macWarning] : [],
  };
}

const macWarning =
  'The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.';

function checkMac(text: string): void {
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(text))
    throw new NetyardError('invalid', `invalid MAC address: ${text}`);
}

function refuseMacMode(mode: string): void {
  if (/^(host$|container:)/.test(mode))
    throw new NetyardError('invalid', 'conflicting options: mac-address and the network mode');
}

function withMac(endpoints: EndpointConfig[], mode: string, macAddress: string): EndpointConfig[] {
  const isOfMode = (endpoint: EndpointConfig): boolean =>
    endpoint.network === mode || (mode === 'default' && endpoint.network === 'bridge');
  if (!endpoints.some(isOfMode)) return [...endpoints, { network: mode === 'default' ? 'bridge' : mode, macAddress }];
  return endpoints.map((endpoint) => (isOfMode(endpoint) ? { macAddress, ...endpoint } : endpoint));
}
