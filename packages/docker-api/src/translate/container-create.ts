/** Translates the body of POST /containers/create. Pure. The network package rejects conflicting network modes. */
import { NetyardError } from '@netyard/core';
import { type ContainerConfig, plainConfig } from '@netyard/engine';
import type { EndpointConfig } from '@netyard/network';
import { acceptFields } from '../schemas/accept-fields.ts';
import { type ContainerCreateBody, createFields } from '../schemas/bodies.ts';
import { type ApiVersion, speaks } from '../versions.ts';
import { readConfig } from './config-fields.ts';
import { applyMac, moveInterfaceSysctls } from './endpoint-defaults.ts';
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
  const mode = body.HostConfig.NetworkMode || 'default';
  const given = translateEndpoints(body, version);
  const main =
    body.MacAddress === '' ? { endpoints: given, warnings: [] } : applyMac(given, body.MacAddress, mode, version);
  const moved = moveInterfaceSysctls(main.endpoints, body.HostConfig.Sysctls, mode, version);
  const config = {
    ...readConfig(body),
    ...readHost({ ...body.HostConfig, Sysctls: moved.sysctls }, version, defaults),
    endpoints: moved.endpoints,
    ...(body.unusualLists.length > 0 ? { unusualLists: body.unusualLists } : {}),
  };
  return {
    config: plainConfig(body.Image, config),
    warnings: [...warnings, ...main.warnings, ...moved.warnings, ...emptyPortWarnings(body.HostConfig, version)],
  };
}

/** Since 1.44 a request may name several networks. */
function translateEndpoints(body: ContainerCreateBody, version: ApiVersion): EndpointConfig[] {
  const given = Object.entries(body.NetworkingConfig?.EndpointsConfig ?? {});
  if (given.length > 1 && !speaks(version, 44)) {
    const names = given.map(([name]) => name).sort();
    throw new NetyardError(
      'invalid',
      `Container cannot be created with multiple network endpoints: ${names.join(', ')}`,
    );
  }
  return given.map(([name, settings]) => translateEndpointRequest(name, settings));
}
