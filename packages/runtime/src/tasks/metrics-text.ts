/** Parses cgroup files. Pure; a missing file is ''. */
import type { TaskMetrics } from '@netyard/engine';

export const numberOf = (text: string | undefined): number => Number.parseInt(text ?? '', 10) || 0;

export const numbersOf = (text: string | undefined): number[] => (text ?? '').split(/\s+/).filter(Boolean).map(Number);

/** A limit: `max`, an empty text, and (v1) a number beyond all memory mean none. */
export function limitOf(text: string | undefined, none: number): number {
  const limit = numberOf(text);
  return limit === 0 || limit > 2 ** 52 || (none > 0 && limit > none) ? none : limit;
}

/** Lines of `key value`. */
export function flatKeyed(text: string | undefined): Record<string, number> {
  const pairs = (text ?? '').split('\n').map((line) => line.split(' '));
  return Object.fromEntries(pairs.filter((pair) => pair.length === 2).map(([key = '', value]) => [key, Number(value)]));
}

type IoCounter = TaskMetrics['io'][number];

/** v1: lines of `8:0 Read 4096`; the caller sums operations (`Total 4096`). */
export function blockCounters(text: string | undefined): IoCounter[] {
  return (text ?? '').split('\n').flatMap((line): IoCounter[] => {
    const match = /^(\d+):(\d+) (\w+) (\d+)$/.exec(line);
    if (!match) return [];
    return [{ major: Number(match[1]), minor: Number(match[2]), op: match[3] ?? '', value: Number(match[4]) }];
  });
}

/** v2: lines of `8:0 rbytes=4096 wbytes=0 …`; returned with the names of v1, as in Docker: `read`, `write`. */
export function ioStat(text: string | undefined): IoCounter[] {
  return (text ?? '').split('\n').flatMap((line): IoCounter[] => {
    const [device = '', ...pairs] = line.split(' ');
    const [major = '', minor = ''] = device.split(':');
    return pairs.flatMap((pair): IoCounter[] => {
      const [key = '', value] = pair.split('=');
      const op = key === 'rbytes' ? 'read' : key === 'wbytes' ? 'write' : undefined;
      return op === undefined ? [] : [{ major: Number(major), minor: Number(minor), op, value: Number(value) }];
    });
  });
}
