/** Points in time as filters take them: seconds since 1970, RFC 3339 with or without its end, or how long ago. Pure. */
import { NetyardError } from '@netyard/core';

const second = 1_000_000_000n;
const units: Record<string, bigint> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  ms: 1_000_000n,
  s: second,
  m: 60n * second,
  h: 3600n * second,
};

/** `24h`, `1h30m`, `1.5s` in nanoseconds (Go's time.ParseDuration); undefined when it is none. */
export function parseDuration(text: string): bigint | undefined {
  const parts = [...text.matchAll(/(\d+)(?:\.(\d{1,9}))?(ns|us|µs|ms|s|m|h)/gy)];
  if (parts.length === 0 || parts.map(([all]) => all).join('') !== text) return undefined;
  return parts.reduce((sum, [, whole = '0', fraction = '', unit = 's']) => {
    const size = units[unit] ?? second;
    return sum + BigInt(whole) * size + (BigInt(fraction.padEnd(9, '0')) * size) / second;
  }, 0n);
}

/** Nanoseconds since 1970. Throws `invalid`. */
export function parseTimestamp(text: string, now: bigint): bigint {
  const duration = parseDuration(text);
  if (duration !== undefined) return now - duration;
  const unix = /^(\d+)(?:\.(\d{1,9}))?$/.exec(text);
  if (unix?.[1] !== undefined) return BigInt(unix[1]) * second + BigInt((unix[2] ?? '').padEnd(9, '0'));
  const time = parseTime(text);
  if (time === undefined) {
    throw new NetyardError('invalid', `failed to parse value as time or duration: "${text}"`);
  }
  return time;
}

/** RFC 3339; without a zone it is UTC, and the time or its seconds may be missing. Undefined when it is none. */
export function parseTime(text: string): bigint | undefined {
  const match = /^(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d(?::\d\d(?::\d\d)?)?)(?:\.(\d{1,9}))?)?([Zz]|[+-]\d\d:\d\d)?$/.exec(
    text,
  );
  if (!match) return undefined;
  const [, date, clock = '00:00:00', fraction = '', zone = 'Z'] = match;
  const full = clock.padEnd(8, ':00').slice(0, 8);
  const milliseconds = Date.parse(`${date}T${full}${zone.toUpperCase()}`);
  if (Number.isNaN(milliseconds)) return undefined;
  return BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}
