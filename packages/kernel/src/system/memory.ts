/** Memory of this process that malloc keeps. */
import { libc } from './ffi/libc.ts';

/**
 * Returns malloc's free memory to the system: malloc_trim(3), on a thread of the pool. By itself glibc returns what is at
 * the end of an arena only, and one small block in use there keeps all the free memory below it.
 */
export function releaseFreeMemory(): Promise<void> {
  return new Promise((resolve, reject) => {
    libc().mallocTrimAsync(0, (error) => (error ? reject(error) : resolve()));
  });
}
