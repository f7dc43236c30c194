/**
 * Encodes records as JSON text that preserves bigints. A bigint becomes a string that begins with U+0001 and `n`; a
 * string that itself begins with U+0001 is prefixed with `U+0001 s`, so that no user's text is taken for a number.
 */
const mark = '\u0001';

export function encodeRecord(record: unknown): string {
  return JSON.stringify(record, (_key, value: unknown) => {
    if (typeof value === 'bigint') return `${mark}n${value}`;
    if (typeof value === 'string' && value.startsWith(mark)) return `${mark}s${value}`;
    return value;
  });
}

/** How JSON writes the mark. */
const escapedMark = JSON.stringify(mark).slice(1, -1);

/** The caller knows the type: a column has records of one type only. */
export function decodeRecord<T>(text: string): T {
  // A function that is called for each value makes parsing several times slower, and few records have such values.
  if (!text.includes(escapedMark)) return JSON.parse(text) as T;
  return JSON.parse(text, (_key, value: unknown) => {
    if (typeof value !== 'string' || !value.startsWith(mark)) return value;
    return value[1] === 'n' ? BigInt(value.slice(2)) : value.slice(2);
  }) as T;
}
