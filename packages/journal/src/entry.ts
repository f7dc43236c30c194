/** One entry of the journal: its line in a file, and whether a query selects it. Pure. */
import { formatTime } from '@netyard/core';

export interface JournalEntry {
  /** Nanoseconds since 1970. */
  time: bigint;
  /** container, network, peer, foreign, repair, repair-failed, conflict, … */
  kind: string;
  /** What was changed, such as `network bridge`. */
  object: string;
  /** What happened, as a sentence without a full stop. */
  text: string;
  /** Of a repair: the equivalent commands; empty for other kinds. */
  commands: readonly string[];
  /** Names and ids of the container, networks, peers and interfaces concerned. */
  names: readonly string[];
}

/** Bounds of a query; absent ones do not limit. */
export interface JournalQuery {
  /** Name of a container, network, peer or interface, or at least 12 digits of an id. */
  target?: string | undefined;
  /** Nanoseconds since 1970; both inclusive. */
  since?: bigint | undefined;
  until?: bigint | undefined;
}

/** Longest line in bytes: longer ones are damaged. */
export const maximumLine = 65_536;
const maximumText = 2000;
const maximumCommands = 4000;
const maximumNames = 64;

/** One line with its line feed, never longer than `maximumLine` bytes: long texts are cut. */
export function encodeEntry({ time, kind, object, text, commands, names }: JournalEntry): string {
  return `${JSON.stringify({
    time: formatTime(time),
    kind,
    object: cut(object, 200),
    text: cut(text, maximumText),
    commands: cutAll(commands),
    names: names.slice(0, maximumNames).map((name) => name.slice(0, 64)),
  })}\n`;
}

/** The text, or its begin and how much is left out. `length` is in UTF-16 units. */
export function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}… (${text.length - length} characters more)`;
}

function cutAll(commands: readonly string[]): string[] {
  const kept: string[] = [];
  let left = maximumCommands;
  for (const command of commands) {
    if (left <= 0 || kept.length >= maximumNames) break;
    kept.push(cut(command, left));
    left -= command.length;
  }
  return kept;
}

/** The entry of a line without line feed; undefined for one that is damaged. */
export function parseEntry(line: string): JournalEntry | undefined {
  const value = parseObject(line);
  if (!value) return undefined;
  const { kind, object, text, commands, names } = value;
  const time = typeof value['time'] === 'string' ? parseTime(value['time']) : undefined;
  if (time === undefined || !isText(kind) || !isText(object) || !isText(text)) return undefined;
  if (!isTexts(commands) || !isTexts(names)) return undefined;
  return { time, kind, object, text, commands, names };
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every(isText);

/** RFC 3339 in UTC with nine decimals, as `formatTime` writes it. */
function parseTime(text: string): bigint | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{9})Z$/.exec(text);
  const milliseconds = match ? Date.parse(`${match[1]}Z`) : Number.NaN;
  return Number.isNaN(milliseconds) ? undefined : BigInt(milliseconds) * 1_000_000n + BigInt(match?.[2] ?? 0);
}

/** Whether the query selects the entry. */
export function isSelected({ time, names }: JournalEntry, { target, since, until }: JournalQuery): boolean {
  if (since !== undefined && time < since) return false;
  if (until !== undefined && time > until) return false;
  return target === undefined || names.some((name) => name === target || isShortId(target, name));
}

const isShortId = (target: string, name: string): boolean =>
  /^[\da-f]{12,63}$/.test(target) && name.length === 64 && name.startsWith(target);
