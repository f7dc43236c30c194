/**
 * Caches compiled seccomp filters in memory. Compiling one takes a third of the time that crun needs to create a
 * container; crun stores its result with the container's state, and accepts it as an annotation.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '@netyard/core';
import { hasErrno } from '@netyard/kernel';
import type { OciSpec } from '../oci.ts';

/** crun(1), "run.oci.seccomp_bpf_data": base64 of the filter, used instead of the profile. */
const annotation = 'run.oci.seccomp_bpf_data';
const largestFilter = 32 * 1024;
/** One for each combination of capabilities and profile in use: rarely more than a few. */
const mostFilters = 16;

export class SeccompCache {
  readonly #filters = new Map<string, string>();
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** The same specification, with the filter if it is cached. */
  apply(spec: OciSpec): OciSpec {
    const filter = this.#filters.get(JSON.stringify(spec.linux.seccomp));
    return filter === undefined ? spec : { ...spec, annotations: { ...spec.annotations, [annotation]: filter } };
  }

  /** Called after crun has created a container. `folder` is crun's state directory. */
  async learn(spec: OciSpec, folder: string): Promise<void> {
    if (!spec.linux.seccomp || spec.annotations?.[annotation] !== undefined) return;
    try {
      const filter = await readFile(join(folder, 'seccomp.bpf'));
      if (filter.length === 0 || filter.length > largestFilter) return;
      const oldest = this.#filters.keys().next();
      if (this.#filters.size >= mostFilters && !oldest.done) this.#filters.delete(oldest.value);
      this.#filters.set(JSON.stringify(spec.linux.seccomp), filter.toString('base64'));
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) this.#logger.warn('reading a seccomp filter', { error: String(error) });
    }
  }
}
