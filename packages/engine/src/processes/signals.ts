/** Signals by name and number, as `docker kill` takes them: `KILL`, `SIGKILL`, `9`, `RTMIN+3`. Pure. */
import { constants } from 'node:os';
import { NetyardError } from '@netyard/core';

const RTMIN = 34;
/** SIGRTMAX. */
export const lastSignal = 64;

const otherNames: Readonly<Record<string, string>> = { CLD: 'CHLD' };

/** Throws `invalid`: `invalid signal: X`. */
export function parseSignal(text: string): number {
  const invalid = (): NetyardError => new NetyardError('invalid', `invalid signal: ${text}`);
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    if (number < 1 || number > lastSignal) throw invalid();
    return number;
  }
  const name = text.toUpperCase().replace(/^SIG/, '');
  const realTime = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (realTime) {
    const distance = Number(`${realTime[2] ?? '+'}${realTime[3] ?? 0}`);
    const number = (realTime[1] === 'MIN' ? RTMIN : lastSignal) + distance;
    if (number < RTMIN || number > lastSignal) throw invalid();
    return number;
  }
  const number = (constants.signals as Readonly<Record<string, number>>)[`SIG${otherNames[name] ?? name}`];
  if (number === undefined) throw invalid();
  return number;
}

export const SIGKILL = 9;
