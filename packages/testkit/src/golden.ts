/** Compares bytes with expected ones in rows of annotated hexadecimal digits: a difference names the field. */
import assert from 'node:assert/strict';

/** Hexadecimal digits, with any spaces, and the field's meaning. */
export type GoldenRow = readonly [hex: string, meaning: string];

/** Fails with both sides row by row, which shows the first wrong field. */
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

/** The bytes of the rows, as input of decoders. */
export const goldenBytes = (rows: readonly GoldenRow[]): Uint8Array =>
  new Uint8Array(Buffer.from(rows.map(([hex]) => hex.replaceAll(' ', '')).join(''), 'hex'));
