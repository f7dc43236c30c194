/** Translates mounts (`-v`, `--tmpfs`, `--mount`) into the engine's requests, and back for inspect. Pure. */
import { posix } from 'node:path';
import type { Mount, MountPoint } from '@netyard/api-types';
import { NetyardError } from '@netyard/core';
import {
  type ContainerConfig,
  isPropagation,
  type MountRequest,
  parseMountMode,
  type ResolvedMount,
} from '@netyard/engine';
import type { HostConfigBody, MountBody } from '../schemas/bodies.ts';
import { type ApiVersion, speaks } from '../versions.ts';

export function translateMounts(body: HostConfigBody, version: ApiVersion): MountRequest[] {
  for (const mount of body.Mounts) {
    refuseNewOptions(mount, version);
    refuseForeignOptions(mount, version);
  }
  return [
    ...body.Binds.map((text) => withDriver(parseBind(text), body.VolumeDriver)),
    ...Object.entries(body.Tmpfs).map(([target, options]) => tmpfsOf(target, options)),
    ...body.Mounts.map(mountOf),
  ];
}

/** `--volume-driver` applies to volumes of -v; volumes of --mount have their own driver. */
const withDriver = (request: MountRequest, driver: string): MountRequest =>
  request.type === 'volume' && driver !== '' ? { ...request, driver } : request;

/** Options that an older version must not ignore: it would mount more than was asked for, or with more access. */
function refuseNewOptions({ BindOptions, VolumeOptions }: MountBody, version: ApiVersion): void {
  const refuse = (option: string, minor: number): void => {
    if (!speaks(version, minor)) throw new NetyardError('invalid', `${option} needs API v1.${minor} or newer`);
  };
  if (BindOptions?.ReadOnlyForceRecursive) refuse('BindOptions.ReadOnlyForceRecursive', 44);
  if (VolumeOptions?.Subpath) refuse('VolumeOptions.Subpath', 45);
}

/** Rejects options of another mount type. Before API 1.42 the message differs and harmless ones are ignored. */
function refuseForeignOptions(body: MountBody, version: ApiVersion): void {
  const kinds = [
    ['VolumeOptions', 'volume', ['bind']],
    ['BindOptions', 'bind', ['volume', 'tmpfs']],
    ['TmpfsOptions', 'tmpfs', []],
  ] as const;
  for (const [field, type, refusedBefore] of kinds) {
    if (!body[field] || body.Type === type) continue;
    if (speaks(version, 42))
      throw new NetyardError('invalid', `${field} must not be specified on mount type "${body.Type}"`);
    if (refusedBefore.some((refused) => refused === body.Type))
      throw invalidMount(body.Type, `field ${field} must not be specified`);
  }
}

const invalidMount = (type: string, why: string): NetyardError =>
  new NetyardError('invalid', `invalid mount config for type "${type}": ${why}`);

/** `source:target[:options]` of -v. Throws `invalid` with Docker's messages, in Docker's order. */
export function parseBind(text: string): MountRequest {
  const parts = text.split(':');
  const [source = '', target = '', mode = ''] = parts;
  const refuse = (why = ''): NetyardError =>
    new NetyardError('invalid', `invalid volume specification: '${text}'${why}`);
  if (parts.length === 1) return { type: 'volume', source: '', target: source, readOnly: false };
  if (parts.length > 3 || source === '') throw refuse();
  if (parts.length === 2 && parseMountMode(target)) throw refuse(); // `/path:ro`: a volume without a name has no mode
  const options = parseMountMode(mode);
  if (!options) throw new NetyardError('invalid', `invalid mode: ${mode}`);
  const type = source.startsWith('/') ? 'bind' : 'volume';
  const why = bindObjection(type, target, options);
  if (why !== undefined) throw refuse(`: invalid mount config for type "${type}": ${why}`);
  if (type === 'volume') checkVolumeName(source);
  const propagation = options.find(isPropagation);
  return {
    ...{ type, source, target, readOnly: options.includes('ro') },
    ...(type === 'bind' ? { createSource: true } : {}),
    ...(propagation === undefined ? {} : { propagation }),
    ...(options.includes('nocopy') ? { noCopy: true } : {}),
    ...(mode === '' ? {} : { mode }),
  };
}

function bindObjection(type: 'bind' | 'volume', target: string, options: readonly string[]): string | undefined {
  if (type === 'volume' && options.some(isPropagation)) return 'field BindOptions must not be specified';
  if (type === 'bind' && options.includes('nocopy')) return 'field VolumeOptions must not be specified';
  if (target === '') return 'field Target must not be empty';
  if (posix.normalize(`/${target}`).replace(/(.)\/$/, '$1') === '/')
    return "invalid specification: destination can't be '/'";
  if (!target.startsWith('/')) return `invalid mount path: '${target}' mount path must be absolute`;
  return undefined;
}

function checkVolumeName(name: string): void {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name)) return;
  if (name.length === 1) {
    const least = 'volume name is too short, names should be at least two alphanumeric characters';
    throw new NetyardError('invalid', `create ${name}: ${least}`);
  }
  throw new NetyardError(
    'invalid',
    `create ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
  );
}

function tmpfsOf(target: string, text: string): MountRequest {
  const options = text === '' ? [] : text.split(',');
  return { type: 'tmpfs', source: '', target, readOnly: options.includes('ro'), options };
}

function mountOf(body: MountBody): MountRequest {
  const common = { source: body.Source, target: body.Target, readOnly: body.ReadOnly };
  switch (body.Type) {
    case 'bind':
      return bindMount(body, common);
    case 'volume':
      return volumeMount(body, common);
    case 'tmpfs': {
      const { SizeBytes = 0, Mode = 0, Options } = body.TmpfsOptions ?? {};
      const options = (Options ?? []).map((pair) => pair.join('='));
      return {
        ...common,
        type: 'tmpfs',
        ...(body.TmpfsOptions ? { hasOptions: true } : {}),
        ...(SizeBytes > 0 ? { tmpfsSize: SizeBytes } : {}),
        ...(Mode > 0 ? { tmpfsMode: Mode } : {}),
        ...(options.length > 0 ? { options } : {}),
      };
    }
    default:
      throw invalidMount(body.Type, 'mount type unknown');
  }
}

type Common = Pick<MountRequest, 'source' | 'target' | 'readOnly'>;

function bindMount(body: MountBody, common: Common): MountRequest {
  const propagation = body.BindOptions?.Propagation ?? '';
  if (propagation !== '' && !isPropagation(propagation))
    throw invalidMount('bind', `invalid propagation mode: ${propagation}`);
  return {
    ...common,
    type: 'bind',
    ...(body.BindOptions ? { hasOptions: true } : {}),
    ...(body.BindOptions?.CreateMountpoint ? { createSource: true } : {}),
    ...(body.BindOptions?.NonRecursive ? { nonRecursive: true } : {}),
    ...(body.BindOptions?.ReadOnlyNonRecursive ? { readOnlyNonRecursive: true } : {}),
    ...(body.BindOptions?.ReadOnlyForceRecursive ? { readOnlyForceRecursive: true } : {}),
    ...(isPropagation(propagation) ? { propagation } : {}),
  };
}

function volumeMount(body: MountBody, common: Common): MountRequest {
  const options = body.VolumeOptions;
  if (common.source !== '') checkVolumeName(common.source);
  else if (options?.Subpath) throw invalidMount('volume', 'must not set Subpath when using anonymous volumes');
  else if (common.readOnly) throw invalidMount('volume', 'must not set ReadOnly mode when using anonymous volumes');
  if (options?.Subpath && !isLocalPath(options.Subpath))
    throw invalidMount('volume', 'subpath must be a relative path within the volume');
  return {
    ...common,
    type: 'volume',
    ...(options ? { hasOptions: true } : {}),
    ...(options?.NoCopy ? { noCopy: true } : {}),
    ...(options?.Subpath ? { subpath: options.Subpath } : {}),
    ...(options && Object.keys(options.Labels).length > 0 ? { labels: options.Labels } : {}),
    ...(options?.DriverConfig?.Name ? { driver: options.DriverConfig.Name } : {}),
    ...(options?.DriverConfig ? { driverOptions: options.DriverConfig.Options } : {}),
  };
}

/** As Go's filepath.IsLocal: relative, and not outside of its directory. */
const isLocalPath = (path: string): boolean => !path.startsWith('/') && !/^\.\.(\/|$)/.test(posix.normalize(path));

/** HostConfig.Tmpfs: mounts of `--tmpfs`, with their options as text. */
export function formatTmpfs(config: ContainerConfig): Record<string, string> {
  return Object.fromEntries(config.mounts.filter(isTmpfsFlag).map((mount) => [mount.target, optionsText(mount)]));
}

const optionsText = (mount: MountRequest): string => (mount.options ?? []).join(',');
const isTmpfsFlag = (mount: MountRequest): boolean => mount.type === 'tmpfs' && mount.options !== undefined;

/** HostConfig.Mounts: mounts of `--mount`. */
export function formatMountRequests(config: ContainerConfig): Mount[] {
  const bound = new Set(config.binds.map((bind) => bind.split(':')[1] ?? bind));
  return config.mounts
    .filter((mount) => !isTmpfsFlag(mount) && !bound.has(mount.target))
    .map((mount) => ({
      Type: mount.type,
      ...(mount.source === '' ? {} : { Source: mount.source }),
      Target: mount.target,
      ...(mount.readOnly ? { ReadOnly: true } : {}),
      ...formatBindOptions(mount),
      ...formatVolumeOptions(mount),
      ...formatTmpfsOptions(mount),
    }));
}

function formatBindOptions({
  type,
  propagation,
  nonRecursive,
  readOnlyNonRecursive,
  readOnlyForceRecursive,
  createSource,
  hasOptions,
}: MountRequest): Pick<Mount, 'BindOptions'> {
  const options = {
    ...(propagation === undefined ? {} : { Propagation: propagation }),
    ...(nonRecursive ? { NonRecursive: true } : {}),
    ...(createSource ? { CreateMountpoint: true } : {}),
    ...(readOnlyNonRecursive ? { ReadOnlyNonRecursive: true } : {}),
    ...(readOnlyForceRecursive ? { ReadOnlyForceRecursive: true } : {}),
  };
  return type === 'bind' && (hasOptions || Object.keys(options).length > 0) ? { BindOptions: options } : {};
}

function formatVolumeOptions({
  type,
  noCopy,
  subpath,
  labels,
  driver,
  driverOptions,
  hasOptions,
}: MountRequest): Pick<Mount, 'VolumeOptions'> {
  const config = {
    ...(driver === undefined ? {} : { Name: driver }),
    ...(driverOptions && Object.keys(driverOptions).length > 0 ? { Options: driverOptions } : {}),
  };
  const isConfigured = driver !== undefined || driverOptions !== undefined;
  const options = {
    ...(noCopy ? { NoCopy: true } : {}),
    ...(labels ? { Labels: labels } : {}),
    ...(isConfigured ? { DriverConfig: config } : {}),
    ...(subpath === undefined ? {} : { Subpath: subpath }),
  };
  return type === 'volume' && (hasOptions || Object.keys(options).length > 0) ? { VolumeOptions: options } : {};
}

function formatTmpfsOptions({ type, tmpfsSize, tmpfsMode, hasOptions }: MountRequest): Pick<Mount, 'TmpfsOptions'> {
  const isGiven = hasOptions || tmpfsSize !== undefined || tmpfsMode !== undefined;
  if (type !== 'tmpfs' || !isGiven) return {};
  return {
    TmpfsOptions: {
      ...(tmpfsSize === undefined ? {} : { SizeBytes: tmpfsSize }),
      ...(tmpfsMode === undefined ? {} : { Mode: tmpfsMode }),
    },
  };
}

/** Mounts of inspect and `docker ps`. Docker omits those of `--tmpfs`. */
export function formatMountPoints(mounts: readonly ResolvedMount[], config: ContainerConfig): MountPoint[] {
  const flagged = new Set(config.mounts.filter(isTmpfsFlag).map((mount) => mount.target));
  return mounts
    .filter((mount) => !(mount.type === 'tmpfs' && flagged.has(mount.target)))
    .map((mount) => ({
      Type: mount.type,
      ...(mount.name === undefined ? {} : { Name: mount.name }),
      Source: mount.source,
      Destination: mount.target,
      ...(mount.driver === undefined ? {} : { Driver: mount.driver }),
      Mode: mount.mode,
      RW: !mount.readOnly,
      Propagation: mount.propagation,
    }));
}
