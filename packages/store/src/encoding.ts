/**
 * Records as JSON text that brings bigints back as bigints. A bigint becomes a string that begins with U+0001 and `n`;
 * a string that begins with U+0001 itself gets `U+0001 s` in front, so no text of a user's is ever taken for a number.
 */
const mark = '\u0001';

export function encodeRecord(record: unknown): string {
  return JSON.stringify(record, (_key, value: unknown) => {
    if (typeof value === 'bigint') return `${mark}n${value}`;
    if (typeof value === 'string' && value.startsWith(mark)) return `${mark}s${value}`;
    return value;
  });
}

/** The caller says what it stored: only records of one type stand in a column. */
export function decodeRecord<T>(text: string): T {
  return JSON.parse(text, (_key, value: unknown) => {
    if (typeof value !== 'string' || !value.startsWith(mark)) return value;
    return value[1] === 'n' ? BigInt(value.slice(2)) : value.slice(2);
  }) as T;
}
