import { posix } from 'node:path';
import { NetyardError } from '@netyard/core';
import type { ContainerConfig, ImageConfig, ResolvedProcess } from '../model.ts';
import type { EngineSettings } from '../settings.ts';

/** Merges the request with the image's configuration and daemon defaults. Throws `invalid`: `no command specified`. */
export function mergeConfig(
  request: ContainerConfig,
  image: ImageConfig,
  settings: Pick<EngineSettings, 'logDriver' | 'logOptions' | 'shmSize' | 'cgroupVersion'>,
): ContainerConfig {
  const healthcheck = mergeHealthcheck(request.healthcheck, image.healthcheck);
  const { healthcheck: _, ...rest } = request;
  return {
    ...rest,
    ...(healthcheck ? { healthcheck } : {}),
    ...mergeCommand(request, image),
    env: mergeImageEnv(request.env, image.env),
    workingDirectory: cleanDirectory(request.workingDirectory || image.workingDirectory),
    user: request.user || image.user,
    labels: { ...image.labels, ...request.labels },
    ...mergeExposed(request, image),
    volumes: [...new Set([...request.volumes, ...image.volumes])],
    stopSignal: request.stopSignal || image.stopSignal,
    ...defaults(request, settings),
  };
}

const cleanDirectory = (path: string): string => (path === '' ? '' : posix.normalize(path).replace(/(.)\/$/, '$1'));

function defaults(
  request: ContainerConfig,
  settings: Pick<EngineSettings, 'logDriver' | 'logOptions' | 'shmSize' | 'cgroupVersion'>,
): Pick<
  ContainerConfig,
  'logDriver' | 'logOptions' | 'shmSize' | 'resources' | 'ipcMode' | 'cgroupnsMode' | 'securityOptions'
> {
  const logDriver = request.logDriver || settings.logDriver;
  const ownLog = logDriver === settings.logDriver;
  const { memory, memorySwap } = request.resources;
  const hostCgroups = settings.cgroupVersion === '1';
  return {
    logDriver,
    logOptions: ownLog ? { ...settings.logOptions, ...request.logOptions } : request.logOptions,
    shmSize: request.shmSize === 0 ? settings.shmSize : request.shmSize,
    resources: { ...request.resources, memorySwap: memory > 0 && memorySwap === 0 ? memory * 2 : memorySwap },
    ipcMode: request.ipcMode || 'private',
    cgroupnsMode: request.cgroupnsMode || (hostCgroups ? 'host' : 'private'),
    securityOptions: withLabel(request),
  };
}

/** Docker labels no container that is privileged or in a namespace of the host, with or without SELinux. */
function withLabel({ securityOptions, privileged, pidMode, ipcMode }: ContainerConfig): string[] {
  const isUnlabelled = privileged || pidMode === 'host' || ipcMode === 'host';
  const hasLabel = securityOptions.some((option) => option.split('=')[0] === 'label');
  return isUnlabelled && !hasLabel ? [...securityOptions, 'label=disable'] : securityOptions;
}

function mergeCommand(request: ContainerConfig, image: ImageConfig): Pick<ContainerConfig, 'entrypoint' | 'command'> {
  const asked = request.entrypoint;
  const none = asked === undefined || asked.length === 0;
  const command = none && request.command.length === 0 ? image.command : request.command;
  const merged = asked === undefined ? image.entrypoint : asked;
  const entrypoint = merged.length === 1 && merged[0] === '' ? [] : merged;
  if (entrypoint.length === 0 && command.length === 0) throw new NetyardError('invalid', 'no command specified');
  return { entrypoint: entrypoint.length === 0 ? undefined : entrypoint, command };
}

/**
 * The request's variables first, then those of the image that it does not set. An entry without a value is kept, as in
 * Docker: it removes the variable from the process's environment (`processEnv`).
 */
function mergeImageEnv(request: readonly string[], image: readonly string[]): string[] {
  const names = new Set(request.map((entry) => entry.split('=', 1)[0]));
  return [...request, ...image.filter((entry) => !names.has(entry.split('=', 1)[0]))];
}

type Exposed = Pick<ContainerConfig, 'exposed' | 'exposedKeys'>;

/** As in Docker, keys of another form are further keys, even of the same port. */
export function mergeExposed(request: Exposed, image: Exposed): Exposed {
  const exposed = uniqueBy([...request.exposed, ...image.exposed], portKey);
  if (!request.exposedKeys && !image.exposedKeys) return { exposed };
  return { exposed, exposedKeys: [...new Set([request, image].flatMap(keysOf))] };
}

const portKey = ({ port, protocol }: Exposed['exposed'][number]): string => `${port}/${protocol}`;
const keysOf = ({ exposed, exposedKeys }: Exposed): string[] => exposedKeys ?? exposed.map(portKey);

/** The request's values, completed by the image's. */
export function mergeHealthcheck(
  request: ContainerConfig['healthcheck'],
  image: ContainerConfig['healthcheck'],
): ContainerConfig['healthcheck'] {
  if (!request || !image) return request ?? image;
  return {
    test: request.test.length > 0 ? request.test : image.test,
    intervalNanoseconds: request.intervalNanoseconds || image.intervalNanoseconds,
    timeoutNanoseconds: request.timeoutNanoseconds || image.timeoutNanoseconds,
    startPeriodNanoseconds: request.startPeriodNanoseconds || image.startPeriodNanoseconds,
    startIntervalNanoseconds: request.startIntervalNanoseconds || image.startIntervalNanoseconds || 0,
    retries: request.retries || image.retries,
  };
}

/** From the merged configuration. */
export function resolveProcess(config: ContainerConfig): ResolvedProcess {
  return {
    args: [...(config.entrypoint ?? []), ...config.command],
    env: config.env,
    workingDirectory: config.workingDirectory,
    user: config.user,
  };
}

function uniqueBy<T>(values: readonly T[], key: (value: T) => string): T[] {
  return [...new Map([...values].reverse().map((value) => [key(value), value])).values()].reverse();
}
