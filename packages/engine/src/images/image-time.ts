/** Times in image configurations: RFC 3339, as strictly as Go reads it. Pure. */

/** A comma is accepted as well, as in Go. */
const pattern = /^(\d{4}-\d\d-\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)$/;

/** As Go writes it: nine digits of a fraction at most, without zeros at their end. Undefined for any other text. */
export function normalizeTime(text: string): string | undefined {
  const [, date = '', hour = '', minute = '', second = '', fraction = '', zone = ''] = pattern.exec(text) ?? [];
  if (date === '' || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59 || !isDate(date)) return undefined;
  const digits = fraction.slice(0, 9).replace(/0+$/, '');
  return `${date}T${hour}:${minute}:${second}${digits === '' ? '' : `.${digits}`}${zone}`;
}

/** Not 2024-02-31, which JavaScript takes for 2024-03-02. */
function isDate(text: string): boolean {
  const time = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(text);
}

/** RFC 3339 as nanoseconds since 1970; undefined for any other text. */
export function parseTime(text: string | undefined): bigint | undefined {
  const match = /^([^.]+?)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)$/i.exec(text ?? '');
  const milliseconds = Date.parse(`${match?.[1]}${match?.[3]}`);
  if (!match || Number.isNaN(milliseconds)) return undefined;
  return BigInt(milliseconds) * 1_000_000n + BigInt((match[2] ?? '').padEnd(9, '0'));
}
