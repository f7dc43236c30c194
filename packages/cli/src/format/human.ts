/** Formats sizes, durations and truncated text like docker (docker/go-units). Pure. */

/** Go's %.Ng: N significant digits, no trailing zeros. */
export function formatG(value: number, digits: number): string {
  if (value === 0) return '0';
  const rounded = value.toPrecision(digits);
  const exponent = Math.floor(Math.log10(Math.abs(Number(rounded))) + 1e-12);
  if (exponent < -4 || exponent >= digits) {
    const [mantissa = '', power = '0'] = value.toExponential(digits - 1).split('e');
    const sign = power.startsWith('-') ? '-' : '+';
    return `${Number(mantissa)}e${sign}${power.replace(/^[+-]/, '').padStart(2, '0')}`;
  }
  return String(Number(rounded));
}

const decimalUnits = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB', 'ZB', 'YB'];
const binaryUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB', 'ZiB', 'YiB'];

function scaled(size: number, base: number, units: readonly string[], digits: number): string {
  let value = size;
  let unit = 0;
  while (value >= base && unit < units.length - 1) {
    value /= base;
    unit += 1;
  }
  return `${formatG(value, digits)}${units[unit]}`;
}

/** `1.05MB`: powers of 1000; four digits by default. */
export const humanSize = (bytes: number, digits = 4): string => scaled(bytes, 1000, decimalUnits, digits);

/** `31.23MiB`: powers of 1024. */
export const binarySize = (bytes: number): string => scaled(bytes, 1024, binaryUnits, 4);

/** Seconds as `5 minutes` or `About an hour`. */
export function humanDuration(seconds: number): string {
  const whole = Math.trunc(seconds);
  if (whole < 1) return 'Less than a second';
  if (whole === 1) return '1 second';
  if (whole < 60) return `${whole} seconds`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.trunc(seconds / 3600 + 0.5);
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.trunc(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.trunc(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.trunc(hours / 24 / 30)} months`;
  return `${Math.trunc(seconds / 3600 / 24 / 365)} years`;
}

/** Truncates to `length` characters, the last being `…`. */
export function ellipsis(text: string, length: number): string {
  const characters = [...text];
  if (characters.length <= length) return text;
  return length === 1 ? (characters[0] ?? '') : `${characters.slice(0, length - 1).join('')}…`;
}

/** The first twelve digits after `sha256:`. */
export const shortImageId = (id: string): string => id.replace(/^sha256:/, '').slice(0, 12);

/** A time like Go's time.Time prints it: `2026-11-23 20:31:07 +0000 UTC`, in this process's time zone. */
export function goTime(date: Date): string {
  const offset = -date.getTimezoneOffset();
  const local = new Date(date.getTime() + offset * 60_000).toISOString();
  const sign = offset < 0 ? '-' : '+';
  const two = (value: number): string => String(Math.trunc(value)).padStart(2, '0');
  const zone = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' })
    .formatToParts(date)
    .find((part) => part.type === 'timeZoneName')?.value;
  const numeric = `${sign}${two(Math.abs(offset) / 60)}${two(Math.abs(offset) % 60)}`;
  return `${local.slice(0, 10)} ${local.slice(11, 19)} ${numeric} ${offset === 0 && zone === undefined ? 'UTC' : zone}`;
}

/** Go's strconv.Quote: printable characters are unchanged, including those outside ASCII. */
export function quote(text: string): string {
  const escaped = text.replace(/["\\]/g, '\\$&').replace(/\p{Cc}/gu, (char) => {
    const known: Record<string, string> = {
      '\n': '\\n',
      '\t': '\\t',
      '\r': '\\r',
      '\b': '\\b',
      '\f': '\\f',
      '\v': '\\v',
      '\x07': '\\a',
    };
    return known[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
  return `"${escaped}"`;
}

/** Compares digits in names as numbers: `web2` before `web10`. */
export const naturalCompare = (a: string, b: string): number => {
  const pattern = /(\d+|\D+)/g;
  const left = a.match(pattern) ?? [];
  const right = b.match(pattern) ?? [];
  for (let index = 0; index < Math.min(left.length, right.length); index += 1) {
    const [x = '', y = ''] = [left[index], right[index]];
    const order = /^\d/.test(x) && /^\d/.test(y) ? Number(x) - Number(y) : x < y ? -1 : x > y ? 1 : 0;
    if (order !== 0) return order;
  }
  return left.length - right.length;
};
