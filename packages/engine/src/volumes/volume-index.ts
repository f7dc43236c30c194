/** All volumes, in memory and in the store, with their directories below the data root. The `local` driver only. */
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, isName, messageOf, NetyardError, newId } from '@netyard/core';
import { removeTree } from '@netyard/kernel';
import { hasCode } from '../logs/file-errors.ts';
import type { ContainerRecord, VolumeRecord } from '../model.ts';
import {
  isRemovedVolume,
  removedVolumeDirectory,
  volumeDirectory,
  volumeMountpoint,
  volumesDirectory,
} from '../paths.ts';
import type { VolumeStore } from '../ports.ts';
import type { EngineSettings } from '../settings.ts';
import { checkLocalOptions, needsMount } from './local-options.ts';
import type { VolumeMounts } from './volume-mounts.ts';

/** A file name is limited to 255 bytes (NAME_MAX), of which the record file needs five. */
const maximumNameLength = 250;

export interface VolumeRequest {
  /** '' for an anonymous one. */
  name: string;
  driver: string;
  options: Record<string, string>;
  labels: Record<string, string>;
}

export class VolumeIndex {
  readonly #records = new Map<string, VolumeRecord>();
  /** Being removed, while their file systems are unmounted. */
  readonly #unmounting = new Set<string>();
  readonly #store: VolumeStore;
  readonly #settings: EngineSettings;
  readonly #clock: Clock;
  readonly #containers: () => readonly ContainerRecord[];
  readonly #mounts: Pick<VolumeMounts, 'mountedBelow' | 'unmountFileSystem'>;

  constructor(options: {
    store: VolumeStore;
    settings: EngineSettings;
    clock: Clock;
    containers: () => readonly ContainerRecord[];
    mounts: Pick<VolumeMounts, 'mountedBelow' | 'unmountFileSystem'>;
  }) {
    this.#store = options.store;
    this.#settings = options.settings;
    this.#clock = options.clock;
    this.#containers = options.containers;
    this.#mounts = options.mounts;
    for (const record of options.store.volumes()) this.#records.set(record.name, record);
  }

  all(): VolumeRecord[] {
    return [...this.#records.values()];
  }

  find(name: string): VolumeRecord | undefined {
    return this.#records.get(name);
  }

  get(name: string): VolumeRecord {
    const record = this.#records.get(name);
    if (record) return record;
    throw new NetyardError('not-found', `get ${name}: no such volume`);
  }

  /** Ids of containers that use it, running or not. */
  users(name: string): string[] {
    const uses = (record: ContainerRecord): boolean => record.mounts.some((mount) => mount.name === name);
    return this.#containers()
      .filter(uses)
      .map((record) => record.id);
  }

  /** Throws `invalid` or `not-implemented`; changes nothing. */
  check(request: VolumeRequest): void {
    checkVolumeRequest(request);
    const present = this.#records.get(request.name);
    if (!present || request.driver === '' || request.driver === present.driver) return;
    throw new NetyardError('conflict', `create ${request.name}: conflict: volume name must be unique`);
  }

  /** Returns an existing volume of that name, or creates one, and whether it is new. */
  ensure(request: VolumeRequest): { record: VolumeRecord; created: boolean } {
    this.check(request);
    this.#checkNotUnmounting(request.name, 'create');
    const present = this.#records.get(request.name);
    if (present) return { record: present, created: false };
    const anonymous = request.name === '';
    const name = anonymous ? newId() : request.name;
    const record: VolumeRecord = {
      name,
      driver: 'local',
      mountpoint: volumeMountpoint(this.#settings, name),
      created: this.#clock.now(),
      labels: anonymous ? { ...request.labels, 'com.docker.volume.anonymous': '' } : request.labels,
      options: request.options,
      anonymous,
    };
    mkdirSync(record.mountpoint, { recursive: true, mode: 0o755 });
    // Files of a volume have whatever modes its containers set: keeps out the host's other users.
    chmodSync(volumesDirectory(this.#settings), 0o700);
    chmodSync(volumeDirectory(this.#settings, name), 0o701);
    this.#store.putVolume(record);
    this.#records.set(name, record);
    return { record, created: true };
  }

  /**
   * Deletes the record first: a directory left by a crash is found and removed by name, a record without one is worse.
   */
  async remove(name: string): Promise<void> {
    // Without a mount there is no await: the next volume created with that name is a new one.
    if (this.#mounts.mountedBelow(volumeDirectory(this.#settings, name)).length > 0) await this.#unmount(name);
    this.#forget(name);
    const removed = removedVolumeDirectory(this.#settings, newId());
    try {
      // Moved away at once: a volume of that name may be created again while this one is deleted.
      renameSync(volumeDirectory(this.#settings, name), removed);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return;
      throw error;
    }
    await removeTree(removed);
  }

  /** Deletes directories of removed volumes whose deletion was interrupted. */
  async finishRemovals(): Promise<void> {
    const folder = volumesDirectory(this.#settings);
    const entries = existsSync(folder) ? readdirSync(folder) : [];
    for (const entry of entries.filter(isRemovedVolume)) await removeTree(join(folder, entry));
  }

  /** Throws `conflict` when another file system is mounted in the volume: its files must not be deleted. */
  async #unmount(name: string): Promise<void> {
    this.#checkNotUnmounting(name, 'remove');
    const record = this.#records.get(name);
    this.#unmounting.add(name);
    try {
      if (record && needsMount(record.options)) await this.#mounts.unmountFileSystem(record.mountpoint);
    } catch (cause) {
      throw new NetyardError('conflict', `remove ${name}: ${messageOf(cause)}`, { cause });
    } finally {
      this.#unmounting.delete(name);
    }
    const [left] = this.#mounts.mountedBelow(volumeDirectory(this.#settings, name));
    if (left === undefined) return;
    const hint = `run \`umount ${left}\` first`;
    throw new NetyardError('conflict', `remove ${name}: a file system is mounted on ${left}`, { hint });
  }

  #checkNotUnmounting(name: string, verb: 'create' | 'remove'): void {
    if (!this.#unmounting.has(name)) return;
    throw new NetyardError('conflict', `${verb} ${name}: removal of the volume is already in progress`);
  }

  #forget(name: string): void {
    this.#store.deleteVolume(name);
    this.#records.delete(name);
  }
}

function checkVolumeRequest(request: VolumeRequest): void {
  const { name, driver, options } = request;
  if (driver !== '' && driver !== 'local')
    throw new NetyardError(
      'not-found',
      `create ${name}: error looking up volume plugin ${driver}: plugin "${driver}" not found`,
    );
  if (name.length > maximumNameLength)
    throw new NetyardError('invalid', `create ${name}: volume name is longer than ${maximumNameLength} bytes`);
  if (name.length === 1) {
    const least = 'volume name is too short, names should be at least two alphanumeric characters';
    throw new NetyardError('invalid', `create ${name}: ${least}`);
  }
  if (name !== '' && !isName(name)) {
    const message =
      `create ${name}: "${name}" includes invalid characters for a local volume name, only ` +
      '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path';
    throw new NetyardError('invalid', message);
  }
  checkLocalOptions(name, options);
}
