/** The instruction HEALTHCHECK, with Docker's messages. Pure. */
import { NetyardError } from '@netyard/core';
import type { Healthcheck } from '../../model.ts';
import { type Instruction, readFlags } from './instruction.ts';
import { parseList } from './list.ts';

const flagNames = ['interval', 'timeout', 'start-period', 'start-interval', 'retries'];

export function parseHealthcheck(instruction: Instruction): Healthcheck {
  const flags = readFlags(instruction, flagNames);
  const [word = ''] = instruction.rest.split(/\s/, 1);
  const kind = word.toUpperCase();
  const rest = instruction.rest.slice(word.length).trim();
  if (kind === '') throw invalid('HEALTHCHECK requires at least one argument');
  if (kind === 'NONE') {
    if (rest !== '') throw invalid('HEALTHCHECK NONE takes no arguments');
    return { ...noTimes, test: ['NONE'] };
  }
  if (kind !== 'CMD') throw invalid(`Unknown type ${JSON.stringify(kind)} in HEALTHCHECK (try CMD)`);
  const command = parseList(rest);
  if (rest === '' || command?.length === 0) throw invalid('Missing command after HEALTHCHECK CMD');
  const time = (name: string): number => parseInterval(name, flags.get(name));
  return {
    test: command === undefined ? ['CMD-SHELL', rest] : ['CMD', ...command],
    intervalNanoseconds: time('interval'),
    timeoutNanoseconds: time('timeout'),
    startPeriodNanoseconds: time('start-period'),
    ...(flags.has('start-interval') ? { startIntervalNanoseconds: time('start-interval') } : {}),
    retries: parseRetries(flags.get('retries')),
  };
}

const noTimes = { intervalNanoseconds: 0, timeoutNanoseconds: 0, startPeriodNanoseconds: 0, retries: 0 };

const invalid = (message: string): NetyardError => new NetyardError('invalid', message);

function parseInterval(name: string, text: string | undefined): number {
  if (text === undefined || text === '') return 0;
  const nanoseconds = parseDuration(text);
  if (nanoseconds === 0) return 0;
  if (nanoseconds < 1_000_000) throw invalid(`Interval "${name}" cannot be less than 1ms`);
  return nanoseconds;
}

const units: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Go's time.ParseDuration: `1m30s`. */
function parseDuration(text: string): number {
  const parts = [...text.replace(/^[+-]/, '').matchAll(/(\d+(?:\.\d*)?|\.\d+)([^\d.]*)/g)];
  const whole = text.replace(/^[+-]/, '');
  if (whole === '0') return 0;
  if (whole === '' || parts.map(([part]) => part).join('') !== whole) {
    throw invalid(`time: invalid duration ${JSON.stringify(text)}`);
  }
  const sum = parts.reduce((total, [, amount = '', unit = '']) => {
    if (unit === '') throw invalid(`time: missing unit in duration ${JSON.stringify(text)}`);
    const factor = units[unit];
    if (factor === undefined) {
      throw invalid(`time: unknown unit ${JSON.stringify(unit)} in duration ${JSON.stringify(text)}`);
    }
    return total + Number(amount) * factor;
  }, 0);
  return Math.round(text.startsWith('-') ? -sum : sum);
}

function parseRetries(text: string | undefined): number {
  if (text === undefined || text === '') return 0;
  if (!/^[+-]?\d{1,10}$/.test(text)) {
    throw invalid(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  if (Number(text) < 0) throw invalid(`--retries cannot be negative (${Number(text)})`);
  return Number(text);
}
