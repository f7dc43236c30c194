/**
 * Saves the directory of the other hosts to a file, shortly after it has changed, so that this host can start while etcd
 * is unreachable.
 */
import type { Logger } from '@netyard/core';
import type { Directory } from './directory.ts';
import type { MembershipFiles } from './membership-file.ts';

const SAVE_DELAY_MS = 500;

export interface KnownStateOptions {
  cluster: string;
  directory: Pick<Directory, 'save' | 'restore'>;
  files: Pick<MembershipFiles, 'known' | 'putKnown'>;
  logger: Logger;
}

export class KnownState {
  readonly #options: KnownStateOptions;
  #saving: NodeJS.Timeout | undefined;

  constructor(options: KnownStateOptions) {
    this.#options = options;
  }

  /** Loads what was saved of the same cluster into the directory. */
  restore(): void {
    const { cluster, directory, files } = this.#options;
    const known = files.known();
    if (known?.cluster === cluster) directory.restore(known.entries);
  }

  /** Called when the directory has changed. */
  changed(): void {
    this.#saving ??= setTimeout(() => this.#save(), SAVE_DELAY_MS).unref();
  }

  #save(): void {
    clearTimeout(this.#saving);
    this.#saving = undefined;
    const { cluster, directory, files, logger } = this.#options;
    try {
      files.putKnown({ cluster, entries: directory.save() });
    } catch (error) {
      logger.error('cannot save the known state of the cluster', { error });
    }
  }

  /** Saves a change that is not saved yet. */
  close(): void {
    if (this.#saving) this.#save();
  }
}
