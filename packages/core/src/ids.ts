/** Docker's identifiers: 64 lower-case hexadecimal digits, shown as their first 12. */

/** A new id. Like Docker's, its first 12 digits are never all decimal, so that a hostname made of it is not a number. */
export function newId(): string {
  // Loaded when needed: it costs the command 10 ms at each start.
  const { randomBytes } = process.getBuiltinModule('node:crypto');
  for (;;) {
    const id = randomBytes(32).toString('hex');
    if (!/^\d{12}/.test(id)) return id;
  }
}

export const shortId = (id: string): string => id.slice(0, 12);

export const isFullId = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);
export const isIdPrefix = (text: string): boolean => /^[0-9a-f]{1,64}$/.test(text);

/** Names Docker allows for containers, volumes and networks. */
export const isName = (text: string): boolean => /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(text);
