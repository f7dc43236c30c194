/**
 * All containers by id and name, in memory and in the store, and their look-up by reference. Records are immutable: a
 * change is a new record, written to the store before it becomes visible. Does no other I/O and never waits.
 */
import { isIdPrefix, isNetyardError, NetyardError } from '@netyard/core';
import type { ContainerRecord, ContainerState } from '../model.ts';
import type { ContainerStore } from '../ports.ts';

export class ContainerIndex {
  readonly #records = new Map<string, ContainerRecord>();
  /** Includes names of containers that are being created. */
  readonly #names = new Map<string, string>();
  readonly #intents = new Set<string>();
  readonly #store: ContainerStore;
  /** Finds the target of `parent/alias`; links belong to the network package. */
  readonly #linkTarget: (name: string) => string | undefined;

  constructor(store: ContainerStore, linkTarget: (name: string) => string | undefined) {
    this.#store = store;
    this.#linkTarget = linkTarget;
    for (const record of store.containers()) {
      this.#records.set(record.id, record);
      this.#names.set(record.name, record.id);
    }
  }

  all(): ContainerRecord[] {
    return [...this.#records.values()];
  }

  byId(id: string): ContainerRecord | undefined {
    return this.#records.get(id);
  }

  /** By full id, name (with or without slash), `parent/alias`, or unambiguous id prefix. */
  find(ref: string): ContainerRecord | undefined {
    const exact = this.#records.get(ref);
    if (exact) return exact;
    const name = ref.startsWith('/') ? ref.slice(1) : ref;
    const id = this.#names.get(name) ?? (name.includes('/') ? this.#linkTarget(name) : undefined);
    const named = id === undefined ? undefined : this.#records.get(id);
    if (named || !isIdPrefix(ref)) return named;
    const matches = this.all().filter((record) => record.id.startsWith(ref));
    if (matches.length > 1) throw new NetyardError('invalid', `multiple IDs found with provided prefix: ${ref}`);
    return matches[0];
  }

  /** As `find`; throws `not-found` with Docker's message. */
  get(ref: string): ContainerRecord {
    const record = this.find(ref);
    if (record) return record;
    if (ref === '') throw new NetyardError('invalid', 'invalid name or ID supplied: ""');
    throw new NetyardError('not-found', `No such container: ${ref}`);
  }

  /** The current record of an existing id; for use after an await, when the caller's may be out of date. */
  current(id: string): ContainerRecord {
    return this.get(id);
  }

  nameIsFree(name: string): boolean {
    return !this.#names.has(name);
  }

  /** Reserves the name at once, so that two creations cannot both have it. Throws `conflict`. */
  reserveName(name: string, id: string): void {
    const owner = this.#names.get(name);
    if (owner !== undefined && owner !== id) throw nameConflict(name, owner);
    this.#names.set(name, id);
  }

  releaseName(name: string, id: string): void {
    if (this.#names.get(name) === id) this.#names.delete(name);
  }

  /** A record of a creation in progress, not visible yet; after a crash reconcile removes what it names. */
  putIntent(record: ContainerRecord): void {
    this.#store.putUnfinishedContainer(record);
    this.#intents.add(record.id);
  }

  /** Also of a container that is being created. */
  hasRecord(id: string): boolean {
    return this.#records.has(id) || this.#intents.has(id);
  }

  put(record: ContainerRecord): ContainerRecord {
    if (isDoomed(record)) this.#store.putUnfinishedContainer(record);
    else this.#store.putContainer(record);
    this.#records.set(record.id, record);
    this.#intents.delete(record.id);
    return record;
  }

  /** In memory only: for short-lived state that is not worth a write, such as a health probe's result. */
  putTransient(record: ContainerRecord): ContainerRecord {
    this.#records.set(record.id, record);
    return record;
  }

  setState(id: string, change: Partial<ContainerState>): ContainerRecord {
    const record = this.current(id);
    return this.put({ ...record, state: { ...record.state, ...change } });
  }

  delete(id: string): void {
    this.#store.deleteContainer(id);
    const record = this.#records.get(id);
    if (record) this.releaseName(record.name, id);
    this.#records.delete(id);
  }

  /** False for a record of an older database that lists as unfinished what was finished since. */
  isUnfinished(id: string): boolean {
    return this.#store.isUnfinishedContainer(id);
  }

  forgetIntent(id: string): void {
    this.#store.deleteContainer(id);
    this.#intents.delete(id);
  }
}

function nameConflict(name: string, owner: string): NetyardError {
  const message =
    `Conflict. The container name "/${name}" is already in use by container "${owner}". ` +
    'You have to remove (or rename) that container to be able to reuse that name.';
  return new NetyardError('conflict', message);
}

/** True while a process exists or is about to: Docker's Running, which includes paused and restarting. */
export function isAlive(record: ContainerRecord): boolean {
  return ['running', 'paused', 'restarting'].includes(record.state.status);
}

/** Being created or removed, or left by a removal that failed. */
export function isDoomed(record: ContainerRecord): boolean {
  return record.state.status === 'removing' || record.state.status === 'dead';
}

/** True while a process exists. */
export function hasProcess(record: ContainerRecord): boolean {
  return record.state.status === 'running' || record.state.status === 'paused';
}

export function notRunning(record: ContainerRecord): NetyardError {
  return new NetyardError('conflict', `container ${record.id} is not running`);
}

/**
 * The runtime's error about a process that has ended since the engine checked: its exit event is on the way, and the
 * container counts as stopped.
 */
export function hasEnded(error: unknown): boolean {
  return isNetyardError(error, 'not-found') || isNetyardError(error, 'conflict');
}

/** For changes that a stopped container accepts without the runtime. */
export function passOverEnded(error: unknown): void {
  if (!hasEnded(error)) throw error;
}

export function isRestarting(record: ContainerRecord): NetyardError {
  return new NetyardError('conflict', `Container ${record.id} is restarting, wait until the container is running`);
}
