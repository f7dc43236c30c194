/**
 * Record files: a second copy of the database's content, in one file per container, image, volume, network, peer or endpoint
 * below `records`. They reveal a database that is older than it should be, and its records are rebuilt from them.
 *
 *     records/generation            epoch, generation, generation that is synced to disk, boot id
 *     records/KIND/NAME.json        epoch, generation, rows, digest of the rows
 *     overlay/generation            the same as records/generation, beside the layers: used when all of records is lost
 */
import { createHash } from 'node:crypto';
import {
  close,
  closeSync,
  constants,
  existsSync,
  fsync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Identity } from './database.ts';
import { type RecordKind, type RecordOwner, type Row, recordKinds, type TableName, tableNames } from './tables.ts';
import { upgradeRow } from './upgrade.ts';

export interface RecordFile extends Identity {
  owner: RecordOwner;
  rows: [TableName, Row][];
}

export interface Marker extends Identity {
  /** A power failure loses nothing up to here. */
  synced: number;
  boot: string;
}

export interface FoundRecords {
  files: RecordFile[];
  /** Unreadable files, with the reason. */
  damaged: { owner: RecordOwner; path: string; reason: string }[];
  marker: Marker | undefined;
  /** The copy beside the layers. */
  layerMarker: Marker | undefined;
}

export const markersOf = ({ marker, layerMarker }: FoundRecords): Marker[] =>
  [marker, layerMarker].filter((found) => found !== undefined);

const digestOf = (rows: unknown): string => createHash('sha256').update(JSON.stringify(rows)).digest('hex');

export function encodeRecordFile({ epoch, generation, rows }: Omit<RecordFile, 'owner'>): string {
  return `${JSON.stringify({ format: 2, epoch, generation, digest: digestOf(rows), rows })}\n`;
}

/** Throws for anything that `encodeRecordFile` did not write. */
export function decodeRecordFile(text: string, owner: RecordOwner): RecordFile {
  const value = JSON.parse(text) as Partial<Record<'format' | 'epoch' | 'generation' | 'digest' | 'rows', unknown>>;
  if (value.format !== 1 && value.format !== 2) throw new Error(`format ${String(value.format)} is unknown`);
  if (value.digest !== digestOf(value.rows)) throw new Error('its digest does not match');
  const rows = (value.rows as [TableName, Row][]).filter(([table]) => tableNames.includes(table));
  const current =
    value.format === 1 ? rows.map(([table, row]): [TableName, Row] => [table, upgradeRow(table, row)]) : rows;
  return { owner, epoch: String(value.epoch), generation: Number(value.generation), rows: current };
}

export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return 'unknown';
  }
}

const folderOf = (folder: string, kind: RecordKind): string => join(folder, kind);
const pathOf = (folder: string, { kind, name }: RecordOwner): string =>
  join(folderOf(folder, kind), `${encodeURIComponent(name)}.json`);

export function readRecords(folder: string, layers: string): FoundRecords {
  const found: FoundRecords = {
    files: [],
    damaged: [],
    marker: readMarker(folder),
    layerMarker: readMarker(layers),
  };
  for (const kind of recordKinds) {
    for (const entry of listFolder(folderOf(folder, kind))) {
      if (!entry.endsWith('.json')) continue;
      const path = join(folder, kind, entry);
      const owner = { kind, name: decodeURIComponent(entry.slice(0, -'.json'.length)) };
      try {
        found.files.push(decodeRecordFile(readFileSync(path, 'utf8'), owner));
      } catch (error) {
        found.damaged.push({ owner, path, reason: error instanceof Error ? error.message : String(error) });
      }
    }
  }
  return found;
}

function readMarker(folder: string): Marker | undefined {
  try {
    const [epoch, generation, synced, boot] = readFileSync(join(folder, 'generation'), 'utf8').trim().split(/ +/);
    const marker = { epoch: epoch ?? '', generation: Number(generation), synced: Number(synced), boot: boot ?? '' };
    return Number.isSafeInteger(marker.generation) && marker.boot !== '' ? marker : undefined;
  } catch {
    return undefined;
  }
}

export function listFolder(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** Files that wait to be synced, and others that wait to be closed, while the disk is slow: each is a descriptor. */
const mostPending = 64;

/** Writes record files. Each is replaced atomically and synced to disk a little later. */
export class RecordWriter {
  readonly #folder: string;
  readonly #boot = bootId();
  readonly #markers: readonly number[];
  /** Of both markers; undefined: not written yet by this process. */
  #markerLength: number | undefined;
  #syncs = 0;
  #closes = 0;
  #made = 0;

  /** @param layers the directory of the layers, which has a copy of the marker */
  constructor(folder: string, layers: string) {
    this.#folder = folder;
    for (const kind of recordKinds) {
      mkdirSync(folderOf(folder, kind), { recursive: true, mode: 0o700 });
      for (const entry of listFolder(folderOf(folder, kind)))
        if (entry.endsWith('.new')) rmSync(join(folder, kind, entry), { force: true });
    }
    mkdirSync(layers, { recursive: true, mode: 0o700 });
    this.#markers = [folder, layers].map(openMarker);
  }

  write(owner: RecordOwner, content: Omit<RecordFile, 'owner'>): void {
    const { path, draft } = this.#nextDraft(owner);
    const file = openSync(draft, 'w', 0o600);
    let open = true;
    try {
      writeFileSync(file, encodeRecordFile(content));
      this.#keepingFile(path, () => renameSync(draft, path));
      if (this.#syncs < mostPending) {
        this.#syncs += 1;
        open = false;
        fsync(file, () => {
          this.#syncs -= 1;
          closeSync(file);
        });
      }
    } catch (error) {
      rmSync(draft, { force: true });
      throw error;
    } finally {
      if (open) closeSync(file);
    }
  }

  /**
   * The same without waiting for the disk: ext4 writes the data of a file that replaces another one before the rename
   * (`auto_da_alloc`), here on a thread of the pool. `isCurrent` is asked before the rename.
   */
  async writeInBackground(
    owner: RecordOwner,
    content: Omit<RecordFile, 'owner'>,
    isCurrent: () => boolean,
  ): Promise<void> {
    const { path, draft } = this.#nextDraft(owner);
    try {
      const file = await open(draft, 'w', 0o600);
      try {
        await file.writeFile(encodeRecordFile(content));
        await file.datasync();
        if (isCurrent()) this.#keepingFile(path, () => renameSync(draft, path));
        else rmSync(draft);
        await file.sync(); // and the rename
      } finally {
        await file.close();
      }
    } catch (error) {
      rmSync(draft, { force: true });
      throw error;
    }
  }

  #nextDraft(owner: RecordOwner): { path: string; draft: string } {
    const path = pathOf(this.#folder, owner);
    this.#made += 1;
    return { path, draft: `${path}.${this.#made}.new` };
  }

  /**
   * Replaces or removes a file while it is open, so that its blocks are freed when a thread of the pool closes it. Where
   * the file system discards them on the disk (`mount -o discard`), that takes up to milliseconds.
   */
  #keepingFile(path: string, replace: () => void): void {
    const file = this.#closes < mostPending ? openIfPossible(path) : undefined;
    try {
      replace();
    } finally {
      if (file !== undefined) {
        this.#closes += 1;
        close(file, () => {
          this.#closes -= 1;
        });
      }
    }
  }

  remove(owner: RecordOwner): void {
    const path = pathOf(this.#folder, owner);
    this.#keepingFile(path, () => rmSync(path, { force: true }));
  }

  /** In place and of constant length: it allocates no space. */
  mark({ epoch, generation }: Identity, synced: number): void {
    const text = `${epoch} ${String(generation).padStart(16)} ${String(synced).padStart(16)} ${this.#boot}\n`;
    const length = Buffer.byteLength(text);
    for (const marker of this.#markers) {
      writeSync(marker, text, 0);
      if (this.#markerLength !== length) ftruncateSync(marker, length);
    }
    this.#markerLength = length;
  }

  close(): void {
    for (const marker of this.#markers) closeSync(marker);
  }
}

/** Without a descriptor left, or when another program removed the file, its blocks are freed at once. */
function openIfPossible(path: string): number | undefined {
  try {
    // The error of a missing file takes longer than the question.
    return existsSync(path) ? openSync(path, constants.O_RDONLY | constants.O_NONBLOCK) : undefined;
  } catch {
    return undefined;
  }
}

function openMarker(folder: string): number {
  const path = join(folder, 'generation');
  closeSync(openSync(path, 'a+', 0o600));
  return openSync(path, 'r+', 0o600);
}
