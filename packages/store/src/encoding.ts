/**
 * Records as JSON text that keeps bigints (`{"$bigint":"17"}`); a property that is undefined is left out. Pure.
 */
export function encodeRecord(record: unknown): string {
  return JSON.stringify(record, (_key, value: unknown) =>
    typeof value === 'bigint' ? { $bigint: value.toString() } : value,
  );
}

/** The caller names the type it wrote: rows are ours alone, their shape is the schema version's. */
export function decodeRecord<T>(text: string): T {
  return JSON.parse(text, (_key, value: unknown) => (isBigintMark(value) ? BigInt(value.$bigint) : value)) as T;
}

function isBigintMark(value: unknown): value is { $bigint: string } {
  if (typeof value !== 'object' || value === null || !('$bigint' in value)) return false;
  return typeof value.$bigint === 'string' && Object.keys(value).length === 1;
}
