/**
 * States of the network on disk. A file begins with a whole state, compressed, and continues with what changed; it is
 * closed when the changes are longer than that. The oldest files are deleted, so that the folder has a bounded size and age.
 */
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { appendFile, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { deflateRaw, inflateRaw } from 'node:zlib';
import { TimeSlice } from '@netyard/core';
import type { StateItem } from './item.ts';

const deflate = promisify(deflateRaw);
const inflate = promisify(inflateRaw);

export interface StateLimits {
  /** Bytes of all files. */
  maximumBytes: number;
  /** Nanoseconds. */
  maximumAge: bigint;
}

export interface RecordedState {
  /** Nanoseconds since 1970: since when it was so. */
  time: bigint;
  items: StateItem[];
}

interface StateFile {
  /** Nanoseconds since 1970: of its first and of its last line. */
  time: bigint;
  newest: bigint;
  bytes: number;
  /** Of its first line; 0 for a file of an earlier process, which is not continued. */
  head: number;
}

const namePattern = /^state-(\d{19})\.jsonl$/;
const smallestFile = 65_536;
/** A longer change fills several lines: each is parsed at once. */
const itemsPerLine = 200;

export class StateFiles {
  readonly #folder: string;
  readonly #limits: StateLimits;
  readonly #files: StateFile[];

  /** Creates the folder (mode 0700). Throws for one that cannot be read or created. */
  constructor(folder: string, limits: StateLimits) {
    this.#folder = folder;
    this.#limits = limits;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const times = readdirSync(folder).flatMap((name) => namePattern.exec(name)?.[1] ?? []);
    this.#files = times.sort().map((text) => {
      const { size, mtimeNs } = statSync(this.#pathOf(BigInt(text)), { bigint: true });
      return { time: BigInt(text), newest: mtimeNs, bytes: Number(size), head: 0 };
    });
  }

  /** Whether the next state is written whole. */
  get needsWhole(): boolean {
    const last = this.#files.at(-1);
    return last === undefined || last.head === 0 || last.bytes - last.head > Math.max(last.head, smallestFile);
  }

  /** Throws if it cannot be written; `needsWhole` then. Returns false for a state that is too long to be kept. */
  async writeWhole(time: bigint, items: readonly StateItem[]): Promise<boolean> {
    const lines = await linesOf(items);
    const compressed = await deflate(Buffer.from(lines));
    const line = `${JSON.stringify({ t: String(time), z: compressed.toString('base64') })}\n`;
    if (line.length > this.#limits.maximumBytes / 2) return false;
    const last = this.#files.at(-1);
    // A clock that was set back must not reorder the files.
    const file = { time: last && last.time >= time ? last.time + 1n : time, newest: time, bytes: 0, head: line.length };
    await appendFile(this.#pathOf(file.time), line, { mode: 0o600 });
    this.#files.push({ ...file, bytes: line.length });
    await this.#deleteOld(time);
    return true;
  }

  /** What is new or different, and the keys of what is gone. Throws if it cannot be written: the next one is whole. */
  async writeChange(time: bigint, items: readonly StateItem[], gone: readonly string[]): Promise<void> {
    const last = this.#files.at(-1);
    if (last === undefined) return;
    const lines = await linesOfChange(time, items, gone);
    try {
      await appendFile(this.#pathOf(last.time), lines);
    } catch (error) {
      last.head = 0; // a part of the line may be there
      throw error;
    }
    last.bytes += Buffer.byteLength(lines);
    last.newest = time;
    await this.#deleteOld(time);
  }

  /** The state at a time; undefined when none is kept that is so old. */
  async read(time: bigint): Promise<RecordedState | undefined> {
    const file = this.#files.findLast((one) => one.time <= time);
    return file && (await readState(this.#pathOf(file.time), time));
  }

  /** Of the oldest state. */
  get oldest(): bigint | undefined {
    return this.#files[0]?.time;
  }

  async #deleteOld(now: bigint): Promise<void> {
    let total = this.#files.reduce((sum, { bytes }) => sum + bytes, 0);
    while (this.#files.length > 1) {
      const [first] = this.#files;
      if (first === undefined) return;
      if (total <= this.#limits.maximumBytes && now - first.newest <= this.#limits.maximumAge) return;
      this.#files.shift();
      total -= first.bytes;
      await rm(this.#pathOf(first.time), { force: true });
    }
  }

  #pathOf(time: bigint): string {
    return join(this.#folder, `state-${String(time).padStart(19, '0')}.jsonl`);
  }
}

async function linesOf(items: readonly StateItem[]): Promise<string> {
  const slice = new TimeSlice();
  const lines: string[] = [];
  for (const item of items) {
    lines.push(JSON.stringify(item));
    if (slice.isOver) await slice.next();
  }
  return lines.join('\n');
}

/** All but the last are marked: the change counts with its last line. */
async function linesOfChange(time: bigint, items: readonly StateItem[], gone: readonly string[]): Promise<string> {
  const slice = new TimeSlice();
  const t = String(time);
  let lines = '';
  let first = 0;
  for (; first + itemsPerLine < items.length; first += itemsPerLine) {
    lines += `${JSON.stringify({ t, set: items.slice(first, first + itemsPerLine), more: true })}\n`;
    if (slice.isOver) await slice.next();
  }
  return `${lines}${JSON.stringify({ t, set: items.slice(first), del: gone })}\n`;
}

/** Ends at the first damaged line: what follows depends on it. */
async function readState(path: string, time: bigint): Promise<RecordedState | undefined> {
  const [head = '', ...changes] = (await readFile(path, 'utf8')).split('\n');
  const whole = parseLine(head);
  if (typeof whole?.['z'] !== 'string') return undefined;
  const slice = new TimeSlice();
  const items = new Map<string, StateItem>();
  const lines = (await inflate(Buffer.from(whole['z'], 'base64'))).toString('utf8').split('\n');
  for (const line of lines) {
    const item = parseLine(line);
    if (isItem(item)) items.set(item.key, item);
    if (slice.isOver) await slice.next();
  }
  let since = whole.time;
  const begun: StateItem[] = [];
  for (const line of changes) {
    const change = parseLine(line);
    if (change === undefined || change.time > time) break;
    begun.push(...arrayOf(change['set']).filter(isItem));
    if (slice.isOver) await slice.next();
    if (change['more'] === true) continue;
    for (const key of arrayOf(change['del'])) items.delete(String(key));
    for (const item of begun.splice(0)) items.set(item.key, item);
    since = change.time;
  }
  return { time: since, items: [...items.values()] };
}

function parseLine(line: string): ({ time: bigint } & Record<string, unknown>) | undefined {
  try {
    const value = JSON.parse(line) as Record<string, unknown> | null;
    if (typeof value !== 'object' || value === null) return undefined;
    const { t } = value;
    return { ...value, time: typeof t === 'string' && /^\d{1,19}$/.test(t) ? BigInt(t) : 0n };
  } catch {
    return undefined;
  }
}

const arrayOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const areTexts = (value: unknown): boolean => Array.isArray(value) && value.every((one) => typeof one === 'string');

function isItem(value: unknown): value is StateItem {
  if (typeof value !== 'object' || value === null) return false;
  const { key, create, remove, change = [] } = value as Record<string, unknown>;
  return typeof key === 'string' && areTexts(create) && areTexts(remove) && areTexts(change);
}
