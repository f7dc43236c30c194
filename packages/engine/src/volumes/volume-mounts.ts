/**
 * Mounts the file systems of volumes with options of the `local` driver while they are in use. Mounts are read from the
 * kernel and running containers from their records, so neither is lost with the daemon; only short uses (a start, a
 * copy) are tracked in memory.
 */
import { lookup } from 'node:dns/promises';
import { existsSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { KernelError, KeyedQueue, type Logger, messageOf, NetyardError } from '@netyard/core';
import { errnoText, type MountCall } from '@netyard/kernel';
import type { ContainerRecord, VolumeRecord } from '../model.ts';
import { hasProcess } from '../records/container-index.ts';
import { addressToResolve, describeMount, needsMount, planVolumeMount } from './local-options.ts';

/** The kernel package's functions of these names. */
export interface FileSystemMounts {
  mountFileSystem(target: string, call: MountCall): Promise<void>;
  unmountFileSystem(target: string): Promise<void>;
  mountPoints(): string[];
}

type Mounting = Pick<ContainerRecord, 'mounts'>;

export class VolumeMounts {
  readonly #mounts: FileSystemMounts;
  readonly #find: (name: string) => VolumeRecord | undefined;
  readonly #containers: () => readonly ContainerRecord[];
  readonly #logger: Logger;
  readonly #queue = new KeyedQueue();
  readonly #uses = new Map<string, number>();

  constructor(options: {
    mounts: FileSystemMounts;
    find: (name: string) => VolumeRecord | undefined;
    containers: () => readonly ContainerRecord[];
    logger: Logger;
  }) {
    this.#mounts = options.mounts;
    this.#find = options.find;
    this.#containers = options.containers;
    this.#logger = options.logger;
  }

  /**
   * Mounts what a container's volumes need. They stay mounted until the returned function is called, and as long as the
   * container runs.
   */
  async acquire(container: Mounting): Promise<() => Promise<void>> {
    const acquired: VolumeRecord[] = [];
    const release = async (): Promise<void> => {
      for (const volume of acquired.splice(0)) await this.#release(volume);
    };
    try {
      for (const volume of this.#volumesOf(container)) {
        await this.#acquire(volume);
        acquired.push(volume);
      }
      return release;
    } catch (error) {
      await release();
      throw error;
    }
  }

  /** The same for the duration of `work`. */
  async whileMounted<T>(container: Mounting, work: () => Promise<T>): Promise<T> {
    const release = await this.acquire(container);
    try {
      return await work();
    } finally {
      await release();
    }
  }

  /** After a container's end, while its record still says that it runs. */
  async releaseStopped(container: ContainerRecord): Promise<void> {
    for (const volume of this.#volumesOf(container))
      await this.#queue.run(volume.name, () => this.#unmountUnused(volume, container.id));
  }

  /** Unmounts what an interrupted start or copy left mounted. */
  async releaseUnused(volumes: readonly VolumeRecord[]): Promise<void> {
    for (const volume of volumes.filter(({ options }) => needsMount(options)))
      await this.#queue.run(volume.name, () => this.#unmountUnused(volume));
  }

  /** Mounts in a directory, including the volume's own file system. */
  mountedBelow(folder: string): string[] {
    const path = resolvedPath(folder);
    return this.#mounts.mountPoints().filter((target) => target === path || target.startsWith(`${path}/`));
  }

  unmountFileSystem(target: string): Promise<void> {
    return this.#mounts.unmountFileSystem(target);
  }

  #volumesOf({ mounts }: Mounting): VolumeRecord[] {
    const names = new Set(mounts.flatMap(({ type, name }) => (type === 'volume' && name !== undefined ? [name] : [])));
    return [...names].flatMap((name) => this.#find(name) ?? []).filter(({ options }) => needsMount(options));
  }

  #acquire(volume: VolumeRecord): Promise<void> {
    return this.#queue.run(volume.name, async () => {
      if (!this.#isMounted(volume)) await this.#mount(volume);
      this.#uses.set(volume.name, (this.#uses.get(volume.name) ?? 0) + 1);
    });
  }

  #release(volume: VolumeRecord): Promise<void> {
    return this.#queue.run(volume.name, async () => {
      const left = (this.#uses.get(volume.name) ?? 1) - 1;
      if (left > 0) this.#uses.set(volume.name, left);
      else this.#uses.delete(volume.name);
      await this.#unmountUnused(volume);
    });
  }

  #isMounted({ mountpoint }: VolumeRecord): boolean {
    return this.#mounts.mountPoints().includes(resolvedPath(mountpoint));
  }

  async #mount({ mountpoint, options }: VolumeRecord): Promise<void> {
    const failed = (text: string, cause?: unknown): NetyardError =>
      new NetyardError('failed', `error while mounting volume '${mountpoint}': ${text}`, { cause });
    let call: MountCall;
    try {
      call = planVolumeMount(options, await resolveAddress(options));
    } catch (error) {
      throw failed(messageOf(error), error);
    }
    try {
      await this.#mounts.mountFileSystem(mountpoint, call);
    } catch (error) {
      throw failed(`failed to mount local volume: ${describeMount(mountpoint, call)}: ${reasonOf(error)}`, error);
    }
  }

  /** A file system that cannot be unmounted is kept and logged: the container's end does not depend on it. */
  async #unmountUnused(volume: VolumeRecord, endedId?: string): Promise<void> {
    const { name, mountpoint } = volume;
    const usedBy = (record: ContainerRecord): boolean =>
      record.id !== endedId && hasProcess(record) && record.mounts.some((mount) => mount.name === name);
    if (this.#uses.has(name) || this.#containers().some(usedBy)) return;
    if (!this.#isMounted(volume)) return;
    try {
      await this.#mounts.unmountFileSystem(mountpoint);
    } catch (error) {
      this.#logger.error('unmounting a volume failed', { volume: name, error: messageOf(error) });
    }
  }
}

/**
 * A directory as /proc/self/mountinfo prints it: without symbolic links. The directory itself is never one, and is not
 * accessed: a server that does not respond would block.
 */
function resolvedPath(folder: string): string {
  const parent = dirname(folder);
  return existsSync(parent) ? join(realpathSync(parent), basename(folder)) : folder;
}

async function resolveAddress(options: VolumeRecord['options']): Promise<string | undefined> {
  const name = addressToResolve(options);
  if (name === undefined) return undefined;
  try {
    // As Go's ResolveIPAddr: an IPv4 address if there is one.
    return (await lookup(name, { order: 'ipv4first' })).address;
  } catch (cause) {
    const text = `error resolving passed in network volume address: lookup ${name}: ${messageOf(cause)}`;
    throw new NetyardError('failed', text, { cause });
  }
}

/** Where Go's text of an errno differs from libuv's. */
const goTexts: Readonly<Record<string, string>> = {
  EBUSY: 'device or resource busy',
  ENOTBLK: 'block device required',
};

function reasonOf(error: unknown): string {
  return error instanceof KernelError ? (goTexts[error.errnoName] ?? errnoText(error.errno)) : messageOf(error);
}
