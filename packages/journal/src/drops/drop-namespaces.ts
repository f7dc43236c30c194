/** Which counted namespaces are this host's and those of endpoints, by inode. Looked up in time slices: a host may have thousands. */
import { TimeSlice } from '@netyard/core';
import type { DropNamespace } from './drop-places.ts';

/** A namespace by its inode, with the names of its interfaces as they were read last. */
export interface KnownNamespace extends DropNamespace {
  links: ReadonlyMap<number, string>;
}

export interface DropNamespacesOptions {
  list(): readonly DropNamespace[];
  /** Inode of the namespace; undefined when it is gone. */
  inodeOf(path: string): number | undefined;
}

/** After so many look-ups all inodes are read again: another program may have replaced a namespace. */
const lookUpsPerReading = 60;

export class DropNamespaces {
  readonly #options: DropNamespacesOptions;
  /** Replaced by each look-up; those before stay until the next one, for containers that have ended. */
  #known = new Map<number, KnownNamespace>();
  #former: ReadonlyMap<number, KnownNamespace> = new Map();
  /** By `key`: reading them is what takes long. */
  #inodes: ReadonlyMap<string, number> = new Map();
  #lookUps = 0;

  constructor(options: DropNamespacesOptions) {
    this.#options = options;
  }

  find(inode: number): KnownNamespace | undefined {
    return this.#known.get(inode) ?? this.#former.get(inode);
  }

  /** Those of the last look-up count, not those before: the kernel gives the inode of an ended namespace to another one. */
  isKnown(inode: number): boolean {
    return this.#known.has(inode);
  }

  async lookUp(): Promise<void> {
    const slice = new TimeSlice();
    const before = this.#lookUps++ % lookUpsPerReading === 0 ? new Map<string, number>() : this.#inodes;
    const found = new Map<number, KnownNamespace>();
    const inodes = new Map<string, number>();
    for (const one of this.#options.list()) {
      const inode = before.get(one.key) ?? this.#options.inodeOf(one.path);
      if (slice.isOver) await slice.next();
      if (inode === undefined || found.has(inode)) continue;
      inodes.set(one.key, inode);
      found.set(inode, { ...one, links: this.#known.get(inode)?.links ?? new Map() });
    }
    this.#former = this.#known;
    this.#known = found;
    this.#inodes = inodes;
  }
}
