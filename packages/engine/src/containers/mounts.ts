/**
 * Turns mount requests into mounts: what is mounted at which path of the container. Pure, except that names of
 * anonymous volumes are still missing in the result (`source` and `name` are empty): create.ts fills them in.
 */
import { posix } from 'node:path';
import { NetyardError } from '@netyard/core';
import type { ContainerConfig, ContainerRecord, MountRequest, ResolvedMount } from '../model.ts';
import { isPropagation, parseMountMode } from './mount-mode.ts';

export interface PlannedMount {
  mount: ResolvedMount;
  /** For volumes: what to create if the volume does not exist. */
  request: MountRequest;
  /** Copy the image's files into the volume if the volume is empty. */
  copy: boolean;
}

/** As filepath.Clean of Go. */
export const cleanPath = (path: string): string => posix.normalize(path).replace(/(.)\/$/, '$1');

/**
 * @param dataRoot the daemon's
 * @param find finds the containers of `--volumes-from`
 * @param config merged with the image: its `volumes` include the image's
 */
export function planMounts(
  config: ContainerConfig,
  dataRoot: string,
  find: (ref: string) => ContainerRecord | undefined,
): PlannedMount[] {
  const inherited = new Map(config.volumesFrom.flatMap((text) => mountsFrom(text, find)));
  const own = new Map<string, PlannedMount>();
  for (const request of config.mounts) {
    const target = cleanPath(request.target);
    if (own.has(target)) throw new NetyardError('invalid', `Duplicate mount point: ${target}`);
    own.set(target, withPropagation(plan(labelled(request)), dataRoot));
  }
  const planned = new Map([...inherited, ...own]);
  const driver = config.volumeDriver === undefined ? {} : { driver: config.volumeDriver };
  for (const target of config.volumes.map(cleanPath)) {
    if (target === '/') throw new NetyardError('invalid', "invalid specification: destination can't be '/'");
    if (!planned.has(target))
      planned.set(target, plan({ type: 'volume', source: '', target, readOnly: false, ...driver }));
  }
  return [...planned.values()];
}

/**
 * Without a requested propagation, dockerd makes a bind a slave that contains its data root or is in it, such as `-v
 * /:/host`: what the host mounts later appears in the container.
 */
function withPropagation(planned: PlannedMount, dataRoot: string): PlannedMount {
  const { mount, request } = planned;
  const contains = (folder: string, path: string): boolean =>
    `${path}/`.startsWith(folder === '/' ? '/' : `${folder}/`);
  const isRelated = contains(mount.source, dataRoot) || contains(dataRoot, mount.source);
  if (mount.type !== 'bind' || request.propagation !== undefined || !isRelated) return planned;
  return { ...planned, mount: { ...mount, propagation: 'rslave', isDefaultPropagation: true } };
}

/** dockerd labels a requested volume without a mode for SELinux, and inspect shows it. */
const labelled = (request: MountRequest): MountRequest =>
  request.type === 'volume' ? { mode: 'z', ...request } : request;

function plan(request: MountRequest): PlannedMount {
  const target = cleanPath(request.target);
  const common = { target, mode: request.mode ?? '', readOnly: request.readOnly, options: [] };
  if (request.type === 'tmpfs')
    return {
      mount: { ...common, type: 'tmpfs', source: '', propagation: '', options: tmpfsOptions(request) },
      request,
      copy: false,
    };
  if (request.type === 'bind') {
    const propagation = request.propagation ?? 'rprivate';
    // The mount options themselves: a bind that is not recursive, or read-only but not recursively.
    const options = request.nonRecursive ? ['bind'] : request.readOnlyNonRecursive ? ['ro'] : [];
    return {
      mount: { ...common, type: 'bind', source: cleanPath(request.source), propagation, options },
      request,
      copy: false,
    };
  }
  const mount: ResolvedMount = {
    ...common,
    type: 'volume',
    name: request.source,
    ...(request.source === '' ? {} : { isNamed: true }),
    source: '',
    ...(request.subpath === undefined ? {} : { subpath: request.subpath }),
    driver: 'local',
    propagation: '',
  };
  return { mount, request, copy: request.noCopy !== true && request.subpath === undefined };
}

/** `container[:mode]`. Propagation and `nocopy` are those of the mount itself. */
function mountsFrom(text: string, find: (ref: string) => ContainerRecord | undefined): [string, PlannedMount][] {
  const [ref = '', mode = 'rw'] = text.split(':');
  if (text === '') throw new NetyardError('invalid', 'volumes-from specification cannot be an empty string');
  const options = parseMountMode(mode);
  if (!options || options.some((option) => isPropagation(option) || option === 'nocopy'))
    throw new NetyardError('invalid', `invalid mode: ${mode}`);
  const source = find(ref);
  // Not `not-found`: clients take that status of a create for a missing image and pull it.
  if (!source) throw new NetyardError('invalid', `No such container: ${ref}`);
  return source.mounts
    .filter((mount) => mount.type !== 'tmpfs')
    .map((mount) => {
      const readOnly = mount.readOnly || options.includes('ro');
      const inherited: ResolvedMount = { ...mount, mode: '', readOnly };
      const request: MountRequest = {
        type: mount.type,
        source: mount.name ?? mount.source,
        target: mount.target,
        readOnly,
      };
      return [mount.target, { mount: inherited, request, copy: false }];
    });
}

const opposites: Readonly<Record<string, string>> = {
  exec: 'noexec',
  suid: 'nosuid',
  dev: 'nodev',
  rw: 'ro',
  atime: 'noatime',
  diratime: 'nodiratime',
  async: 'sync',
};
const tmpfsKeys = ['size', 'mode', 'uid', 'gid', 'nr_inodes', 'nr_blocks', 'mpol'];
const propagations = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave', 'unbindable', 'runbindable'];

/** Docker's `noexec,nosuid,nodev`, overridden by the requested options. */
function tmpfsOptions(request: MountRequest): string[] {
  const merged = new Map([
    ['exec', 'noexec'],
    ['suid', 'nosuid'],
    ['dev', 'nodev'],
  ]);
  const asked = [
    ...(request.readOnly ? ['ro'] : []),
    ...(request.tmpfsSize ? [`size=${request.tmpfsSize}`] : []),
    ...(request.tmpfsMode ? [`mode=${request.tmpfsMode.toString(8)}`] : []),
    ...(request.options ?? []),
  ];
  for (const option of asked) merged.set(tmpfsKind(option), option);
  return [...merged.values()];
}

/** Options of one kind override each other. */
function tmpfsKind(option: string): string {
  const [key = ''] = option.split('=');
  if (option.includes('=') && tmpfsKeys.includes(key)) return key;
  if (propagations.includes(option)) return 'propagation';
  const pair = Object.entries(opposites).find(([on, off]) => option === on || option === off);
  if (pair) return pair[0];
  if (['relatime', 'norelatime', 'strictatime', 'nostrictatime', 'defaults', 'bind', 'rbind'].includes(option))
    return option;
  throw new NetyardError('invalid', `invalid tmpfs option ${JSON.stringify(option)}`);
}
