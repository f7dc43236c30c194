/** All volumes, in memory and in the store, with their folders below the data root. The `local` driver only. */
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, isName, NetyardError, newId } from '@netyard/core';
import type { EngineSettings } from '../context.ts';
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

/** A file system takes 255 bytes (NAME_MAX), of which the name of the record file needs five. */
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
  readonly #store: VolumeStore;
  readonly #settings: EngineSettings;
  readonly #clock: Clock;
  readonly #containers: () => readonly ContainerRecord[];

  constructor(options: {
    store: VolumeStore;
    settings: EngineSettings;
    clock: Clock;
    containers: () => readonly ContainerRecord[];
  }) {
    this.#store = options.store;
    this.#settings = options.settings;
    this.#clock = options.clock;
    this.#containers = options.containers;
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

  /** Ids of containers that have it, running or not. */
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

  /** An existing one of that name is as good as a new one. Returns whether it is new. */
  ensure(request: VolumeRequest): { record: VolumeRecord; created: boolean } {
    this.check(request);
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
    // Files of a volume have whatever modes its containers gave them: the host's other users do not get that far.
    chmodSync(volumesDirectory(this.#settings), 0o700);
    chmodSync(volumeDirectory(this.#settings, name), 0o701);
    this.#store.putVolume(record);
    this.#records.set(name, record);
    return { record, created: true };
  }

  /** The record first: a folder that a crash leaves is found and removed by name, a record without one is worse. */
  async remove(name: string): Promise<void> {
    this.#forget(name);
    const removed = removedVolumeDirectory(this.#settings, newId());
    try {
      // Out of the way at once: a volume of that name may be created again while this one is deleted.
      renameSync(volumeDirectory(this.#settings, name), removed);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return;
      throw error;
    }
    await rm(removed, { recursive: true, force: true });
  }

  /** Deletes folders of removed volumes whose deletion was cut short. */
  async finishRemovals(): Promise<void> {
    const folder = volumesDirectory(this.#settings);
    const entries = existsSync(folder) ? readdirSync(folder) : [];
    for (const entry of entries.filter(isRemovedVolume))
      await rm(join(folder, entry), { recursive: true, force: true });
  }

  /** For undoing a creation. */
  removeNow(name: string): void {
    this.#forget(name);
    rmSync(volumeDirectory(this.#settings, name), { recursive: true, force: true });
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
  for (const key of Object.keys(options)) {
    if (['type', 'o', 'device', 'size'].includes(key))
      throw new NetyardError(
        'not-implemented',
        `create ${name}: option "${key}" of the local volume driver is not supported`,
      );
    throw new NetyardError('invalid', `create ${name}: invalid option: "${key}"`);
  }
}
