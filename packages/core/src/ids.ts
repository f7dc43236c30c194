/** Docker's identifiers: 64 lower-case hexadecimal digits, displayed as their first 12. */

const idBytes = 32;
/** Ids whose random bytes are read together: a single read takes 0.1 ms after a pause, longer than all else of an id. */
const pooledIds = 64;
let pool = Buffer.alloc(0);

/**
 * Generates an id. As in Docker, its first 12 digits are never all decimal, because a hostname derived from it would be
 * a number.
 */
export function newId(): string {
  for (;;) {
    // Loaded lazily: loading it would add 10 ms to each start of the CLI.
    if (pool.length === 0) pool = process.getBuiltinModule('node:crypto').randomBytes(pooledIds * idBytes);
    const id = pool.toString('hex', 0, idBytes);
    pool = pool.subarray(idBytes);
    if (!/^\d{12}/.test(id)) return id;
  }
}

export const shortId = (id: string): string => id.slice(0, 12);

export const isFullId = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);
export const isIdPrefix = (text: string): boolean => /^[0-9a-f]{1,64}$/.test(text);

/** Valid names of containers, volumes and networks in Docker. */
export const isName = (text: string): boolean => /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(text);
