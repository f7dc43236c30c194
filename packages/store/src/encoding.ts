/**
 * Encodes records as JSON text that preserves bigints. A bigint becomes a string that begins with U+0001 and `n`; a
 * string that itself begins with U+0001 is prefixed with `U+0001 s`, so that no user's text is taken for a number.
 */
const mark = '\u0001';

/** How JSON writes the mark. */
const escapedMark = JSON.stringify(mark).slice(1, -1);

export function encodeRecord(record: object): string {
  // A function that is called for each value makes it several times slower, and most records have nothing to mark.
  const text = encodePlain(record);
  return text === undefined || text.includes(escapedMark) ? encodeMarked(record) : text;
}

/** Undefined for a record with bigints, which JSON.stringify rejects. */
function encodePlain(record: object): string | undefined {
  if (Object.values(record).some((value) => typeof value === 'bigint')) return undefined;
  try {
    return JSON.stringify(record);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

function encodeMarked(record: object): string {
  return JSON.stringify(record, (_key, value: unknown) => {
    if (typeof value === 'bigint') return `${mark}n${value}`;
    if (typeof value === 'string' && value.startsWith(mark)) return `${mark}s${value}`;
    return value;
  });
}

/** The caller knows the type: a column has records of one type only. */
export function decodeRecord<T>(text: string): T {
  // A function that is called for each value makes parsing several times slower, and few records have such values.
  if (!text.includes(escapedMark)) return JSON.parse(text) as T;
  return JSON.parse(text, (_key, value: unknown) => {
    if (typeof value !== 'string' || !value.startsWith(mark)) return value;
    return value[1] === 'n' ? BigInt(value.slice(2)) : value.slice(2);
  }) as T;
}
