/** Bytes compared with what they should be, written in rows with a word on each: differences read like the format. */
import assert from 'node:assert/strict';

/** Hexadecimal digits (spaces as you like) and what they mean. */
export type GoldenRow = readonly [hex: string, meaning: string];

/** Fails with both sides row by row, so that the first wrong field is seen at once. */
export function assertBytes(actual: Uint8Array, rows: readonly GoldenRow[]): void {
  let offset = 0;
  const found = rows.map(([hex, meaning]) => {
    const length = Buffer.from(hex.replaceAll(' ', ''), 'hex').length;
    const part = Buffer.from(actual.subarray(offset, offset + length)).toString('hex');
    offset += length;
    return `${part} ${meaning}`;
  });
  if (offset < actual.length) found.push(`${Buffer.from(actual.subarray(offset)).toString('hex')} (more)`);
  assert.deepEqual(
    found,
    rows.map(([hex, meaning]) => `${hex.replaceAll(' ', '')} ${meaning}`),
  );
}

/** The bytes of the rows, for decoders. */
export const goldenBytes = (rows: readonly GoldenRow[]): Uint8Array =>
  new Uint8Array(Buffer.from(rows.map(([hex]) => hex.replaceAll(' ', '')).join(''), 'hex'));
