/** Translates a container for `docker ps`. Pure. */
import type { ContainerSummary as DockerSummary, EndpointSettings } from '@netyard/api-types';
import type { ContainerSummary } from '@netyard/engine';
import type { SandboxState } from '@netyard/sandbox';
import { formatMountPoints } from './mounts.ts';
import { translateEndpoint } from './network.ts';
import { summarizePorts } from './ports.ts';

export function translateContainerSummary(summary: ContainerSummary): DockerSummary {
  const { record, network, sizes } = summary;
  const { config } = record;
  // A container whose network mode has no networks of its own shows no published and no exposed ports in this list.
  const shown = record.state.status === 'running' || record.state.status === 'paused' ? network : undefined;
  return {
    Id: record.id,
    Names: summary.names,
    Image: config.image,
    ImageID: record.imageId,
    Command: formatCommand(record.process.args),
    Created: Number(record.created / 1_000_000_000n),
    Ports: shown && hasOwnPorts(shown) ? summarizePorts(shown.ports, config.exposed) : [],
    ...(sizes ? { SizeRw: sizes.writable, SizeRootFs: sizes.total } : {}),
    Labels: config.labels,
    State: record.state.status,
    Status: summary.statusText,
    HostConfig: {
      NetworkMode: config.networkModeText,
      ...(Object.keys(config.annotations).length > 0 ? { Annotations: config.annotations } : {}),
    },
    NetworkSettings: { Networks: translateEndpoints(summary) },
    Mounts: formatMountPoints(record.mounts, config),
  };
}

export const hasOwnPorts = (state: SandboxState): boolean =>
  state.sharedWith === undefined &&
  state.endpoints.some(({ addresses }) => (addresses.v4 ?? addresses.v6) !== undefined);

/** Path and arguments; arguments with a space are quoted, as in Docker. */
function formatCommand([path = '', ...rest]: readonly string[]): string {
  return [path, ...rest.map((argument) => (argument.includes(' ') ? `'${argument}'` : argument))].join(' ');
}

/**
 * By network name: the observed endpoints, or the configured ones if the container does not run. As in Docker, a requested
 * MAC address is shown until the first start.
 */
export function translateEndpoints({
  record: { config, state },
  network,
  endpoints,
}: Pick<ContainerSummary, 'record' | 'network' | 'endpoints'>): Record<string, EndpointSettings> {
  if (config.networkMode.kind === 'container' || config.networkDisabled) return {};
  const shown = network
    ? network.endpoints.map((one) => [one.networkName, translateEndpoint(one.config, one, one.networkId)])
    : endpoints.map((one) => [
        one.config.network,
        {
          ...translateEndpoint(one.config, undefined, one.networkId),
          MacAddress: state.status === 'created' ? (one.config.macAddress ?? '') : '',
        },
      ]);
  return Object.fromEntries(shown);
}
