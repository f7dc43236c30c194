/** Times and entries of Docker's json-file format. Pure; lines are written by encode-lines.ts, read by decode-lines.ts. */

export interface EntryHead {
  stream: 'stdout' | 'stderr';
  /** Nanoseconds since 1970. */
  time: bigint;
  /** The labels and variables requested with --log-opt. */
  attributes: Readonly<Record<string, string>> | undefined;
}

/** RFC 3339 with up to nine decimals, trailing zeros cut, as Go's RFC3339Nano prints. */
export function formatLogTime(nanoseconds: bigint): string {
  const seconds = new Date(Number(nanoseconds / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  const fraction = (nanoseconds % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '');
  return fraction === '' ? `${seconds}Z` : `${seconds}.${fraction}Z`;
}

/** Nanoseconds since 1970; undefined for an invalid time. */
export function parseLogTime(text: string): bigint | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (!match) return undefined;
  const milliseconds = Date.parse(`${match[1]}${match[3]}`);
  if (Number.isNaN(milliseconds)) return undefined;
  return BigInt(milliseconds) * 1_000_000n + BigInt((match[2] ?? '').padEnd(9, '0'));
}

/** Undefined for an invalid entry (half-written or foreign). */
export function parseEntry(line: string): { log: string; head: EntryHead } | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { log = '', stream, time: text, attrs } = value as Record<string, unknown>;
  const time = typeof text === 'string' ? parseLogTime(text) : undefined;
  if (typeof log !== 'string' || (stream !== 'stdout' && stream !== 'stderr') || time === undefined) return undefined;
  return { log, head: { stream, time, attributes: readAttributes(attrs) } };
}

function readAttributes(value: unknown): Record<string, string> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.fromEntries(Object.entries(value).map(([key, text]) => [key, String(text)]));
}
