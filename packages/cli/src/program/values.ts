/** Parses numbers, sizes and durations of the command line like Go. Pure; throws Go's messages. */

import { NetyardError } from '@netyard/core';

/** strconv.ParseBool */
export function parseBool(text: string): boolean {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text)) return false;
  throw new Error(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
}

export function parseInteger(text: string, goName: 'ParseInt' | 'ParseUint' | 'Atoi'): number {
  const pattern = goName === 'ParseUint' ? /^\d+$/ : /^[+-]?\d+$/;
  if (!pattern.test(text)) throw new Error(`strconv.${goName}: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text);
}

const sizeUnits: Readonly<Record<string, number>> = { '': 0, b: 0, k: 1, m: 2, g: 3, t: 4, p: 5 };

/** Bytes from `64m`, `1.5GiB`, `512`. Powers of 1024, as everywhere in docker's flags. */
export function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-zA-Z]{0,3})$/.exec(text.trim());
  const unit = (match?.[2] ?? '').toLowerCase();
  const known = /^(b|[kmgtp](b|ib)?)?$/.test(unit);
  if (!match && text.trim() === '') throw new Error(`invalid size: '${text}'`);
  if (!match) throw new Error(`invalid size: '${text}'`);
  if (!known) throw new Error(`invalid suffix: '${unit}'`);
  return Math.trunc(Number(match[1]) * 1024 ** (sizeUnits[unit.slice(0, 1)] ?? 0));
}

/** `--memory-swap` also accepts -1. */
export const parseSwap = (text: string): number => (text === '-1' ? -1 : parseBytes(text));

/** `--cpus`: billionths of a processor. */
export function parseCpus(text: string): number {
  const match = /^[+-]?(?:(\d+)\/(\d+)|\d*\.?\d+(?:[eE][+-]?\d+)?|\d+\.)$/.exec(text);
  if (!match) throw new Error(`failed to parse ${text} as a rational number`);
  const value = match[1] !== undefined && match[2] !== undefined ? Number(match[1]) / Number(match[2]) : Number(text);
  const nano = Math.round(value * 1e9);
  if (Math.abs(nano - value * 1e9) > 1e-3) throw new Error('value is too precise');
  return nano;
}

const durationUnits: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Nanoseconds from Go's `1h30m`, `1.5s`, `0`. */
export function parseDuration(text: string): number {
  const fail = (): Error => new Error(`time: invalid duration ${JSON.stringify(text)}`);
  if (/^[+-]?0$/.test(text)) return 0;
  const match = /^([+-]?)((?:\d*\.?\d*[a-zµμ]+)+)$/.exec(text);
  if (!match) {
    if (/^[+-]?\d*\.?\d+$/.test(text)) throw new Error(`time: missing unit in duration ${JSON.stringify(text)}`);
    throw fail();
  }
  let sum = 0;
  for (const [, number = '', unit = ''] of (match[2] ?? '').matchAll(/(\d*\.?\d*)([a-zµμ]+)/g)) {
    const size = durationUnits[unit];
    if (size === undefined)
      throw new Error(`time: unknown unit ${JSON.stringify(unit)} in duration ${JSON.stringify(text)}`);
    if (!/\d/.test(number)) throw fail();
    sum += Number(number) * size;
  }
  return Math.trunc(match[1] === '-' ? -sum : sum);
}

const invalidRestart = (text: string): NetyardError =>
  new NetyardError('invalid', `invalid restart policy format: ${text}`);

/** `--restart`: `no`, `always`, `unless-stopped`, `on-failure[:N]`. */
export function parseRestart(text: string): { Name: string; MaximumRetryCount: number } {
  if (text === '') return { Name: '', MaximumRetryCount: 0 };
  const [name = '', count, ...more] = text.split(':');
  if (name === '') throw invalidRestart('no policy provided before colon');
  if (more.length > 0) throw invalidRestart('maximum retry count must be an integer');
  if (count === undefined || count === '') return { Name: name, MaximumRetryCount: 0 };
  if (!/^[+-]?\d+$/.test(count)) throw invalidRestart('maximum retry count must be an integer');
  return { Name: name, MaximumRetryCount: Number(count) };
}
