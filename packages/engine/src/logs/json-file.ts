/** Docker's json-file format: one JSON object a line. Pure; the files are handled in log-file.ts and read-log.ts. */
import type { LogEntry } from '../contract.ts';

/** RFC 3339 with up to nine decimals, trailing zeros cut, as Go's RFC3339Nano prints. */
export function formatLogTime(nanoseconds: bigint): string {
  const seconds = new Date(Number(nanoseconds / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  const fraction = (nanoseconds % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '');
  return fraction === '' ? `${seconds}Z` : `${seconds}.${fraction}Z`;
}

/** Nanoseconds since 1970; undefined for text that is no such time. */
export function parseLogTime(text: string): bigint | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (!match) return undefined;
  const milliseconds = Date.parse(`${match[1]}${match[3]}`);
  if (Number.isNaN(milliseconds)) return undefined;
  return BigInt(milliseconds) * 1_000_000n + BigInt((match[2] ?? '').padEnd(9, '0'));
}

/** @param attributes JSON text of the labels and variables asked for by --log-opt, or '' */
export function encodeLogLine(
  line: { text: Buffer; complete: boolean },
  stream: 'stdout' | 'stderr',
  time: string,
  attributes: string,
): Buffer {
  const log = JSON.stringify(line.complete ? `${line.text.toString()}\n` : line.text.toString());
  const extra = attributes === '' ? '' : `,"attrs":${attributes}`;
  return Buffer.from(`{"log":${log},"stream":"${stream}"${extra},"time":"${time}"}\n`);
}

/** Undefined for a line that is no such object (a half-written or foreign one). */
export function decodeLogLine(line: string): LogEntry | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { log = '', stream, time, attrs } = value as Record<string, unknown>;
  const parsed = typeof time === 'string' ? parseLogTime(time) : undefined;
  if (typeof log !== 'string' || (stream !== 'stdout' && stream !== 'stderr') || parsed === undefined) return undefined;
  const attributes = readAttributes(attrs);
  return { stream, data: Buffer.from(log), time: parsed, ...(attributes ? { attributes } : {}) };
}

function readAttributes(value: unknown): Record<string, string> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.fromEntries(Object.entries(value).map(([key, text]) => [key, String(text)]));
}
