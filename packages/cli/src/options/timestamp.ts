/** Converts `--since` and `--until` (time, Unix seconds, or duration before now) to the API's format. Pure. */
import { type Clock, NetyardError } from '@netyard/core';
import { parseDuration } from '../program/values.ts';

/** `SECONDS[.NANOSECONDS]`, or undefined for ''. Local time unless the text has a time zone. */
export function timestampOf(text: string, clock: Clock): string | undefined {
  if (text === '') return undefined;
  const relative = durationOf(text);
  if (relative !== undefined) return secondsText(clock.now() - BigInt(relative));
  if (/^\d+(\.\d{1,9})?$/.test(text)) return text;
  const match = /^(\d{4}-\d\d-\d\d)(?:T(\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?))?(Z|[+-]\d\d:\d\d)?$/.exec(text);
  const [, day = '', time = '00:00:00', zone = ''] = match ?? [];
  const full = time.split(':').length === 1 ? `${time}:00:00` : time.split(':').length === 2 ? `${time}:00` : time;
  const [whole = '', fraction = ''] = full.split('.');
  const milliseconds = match ? Date.parse(`${day}T${whole}${zone}`) : Number.NaN;
  if (Number.isNaN(milliseconds)) {
    throw new NetyardError('invalid', `failed to parse value as time or duration: ${JSON.stringify(text)}`);
  }
  return `${milliseconds / 1000}.${fraction.padEnd(9, '0').slice(0, 9)}`;
}

function durationOf(text: string): number | undefined {
  if (!/[a-zµμ]$/.test(text)) return undefined;
  try {
    return parseDuration(text);
  } catch {
    return undefined; // may be a time
  }
}

const secondsText = (nanoseconds: bigint): string =>
  `${nanoseconds / 1_000_000_000n}.${(nanoseconds % 1_000_000_000n).toString().padStart(9, '0')}`;
