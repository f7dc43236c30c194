/** Describes what an archive must preserve of each entry of a folder, one line per entry, to compare two trees. */
import { createHash } from 'node:crypto';
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
} from 'node:fs';
import { fsPath, textOf } from '@netyard/core';
import { getXattr, listXattrs, O_PATH } from '@netyard/kernel';

export interface DescribeOptions {
  /** A modification time as the tested way preserves it, in nanoseconds; unchanged by default. */
  timeOf?: (nanoseconds: bigint) => bigint;
  /** Whether owners are compared; true by default. */
  owners?: boolean;
  /** Which attributes are compared; those of `trusted.` never are. */
  hasXattr?: (name: string) => boolean;
  /** Entries that are not compared, by their path. */
  skip?: (path: string, stat: BigIntStats) => boolean;
}

/** Lines by path, the folder itself as ''. Sockets are skipped: tar has no type for them. */
export function describeTree(folder: string, options: DescribeOptions = {}): Map<string, string> {
  const describer = new Describer(options);
  const fd = openSync(folder, O_PATH | constants.O_DIRECTORY);
  try {
    describer.visit(fd, '');
  } finally {
    closeSync(fd);
  }
  return describer.lines;
}

class Describer {
  readonly lines = new Map<string, string>();
  readonly #options: DescribeOptions;
  readonly #inodes = new Map<string, string>();

  constructor(options: DescribeOptions) {
    this.#options = options;
  }

  /** @param folder an open file descriptor of a folder */
  visit(folder: number, path: string): void {
    this.#add(path, fstatSync(folder, { bigint: true }), `/proc/self/fd/${folder}`);
    const names = readdirSync(`/proc/self/fd/${folder}`, 'buffer').sort(Buffer.compare);
    for (const name of names.map((each) => textOf(each)))
      this.#entry(folder, name, path === '' ? name : `${path}/${name}`);
  }

  #entry(folder: number, name: string, path: string): void {
    const place = `/proc/self/fd/${folder}/${name}`;
    const stat = lstatSync(fsPath(place), { bigint: true });
    if (stat.isSocket() || this.#options.skip?.(path, stat)) return;
    if (!stat.isDirectory()) {
      this.#add(path, stat, place);
      return;
    }
    const fd = openSync(fsPath(place), O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      this.visit(fd, path);
    } finally {
      closeSync(fd);
    }
  }

  #add(path: string, stat: BigIntStats, place: string): void {
    const fields = {
      mode: stat.mode.toString(8),
      ...(this.#options.owners === false ? {} : { owner: `${stat.uid}:${stat.gid}` }),
      time: this.#options.timeOf?.(stat.mtimeNs) ?? stat.mtimeNs,
      ...(stat.isFile() ? { size: stat.size, content: digestOf(place) } : {}),
      ...(stat.isSymbolicLink() ? { to: readlinkSync(fsPath(place), 'buffer').toString('latin1') } : {}),
      ...(stat.isCharacterDevice() || stat.isBlockDevice() ? { device: stat.rdev } : {}),
      ...this.#linkOf(path, stat),
      ...(stat.isFile() || stat.isDirectory() ? this.#xattrsOf(place) : {}),
    };
    this.lines.set(
      path,
      Object.entries(fields)
        .map(([key, value]) => `${key}=${value}`)
        .join(' '),
    );
  }

  /** The first path of a file with several. */
  #linkOf(path: string, stat: BigIntStats): { link?: string } {
    if (stat.isDirectory() || stat.nlink < 2n) return {};
    const key = `${stat.dev}:${stat.ino}`;
    const first = this.#inodes.get(key) ?? path;
    this.#inodes.set(key, first);
    return { link: JSON.stringify(first) };
  }

  #xattrsOf(place: string): { xattrs?: string } {
    const counts = this.#options.hasXattr ?? ((name) => /^(?:user\.|security\.capability$)/.test(name));
    const found = listXattrs(place).filter((name) => !name.startsWith('trusted.') && counts(name));
    if (found.length === 0) return {};
    const value = (name: string): string => Buffer.from(getXattr(place, name) ?? []).toString('hex');
    return {
      xattrs: found
        .sort()
        .map((name) => `${JSON.stringify(name)}:${value(name)}`)
        .join(','),
    };
  }
}

/** Whole seconds, rounded down as tar does. */
export function wholeSeconds(nanoseconds: bigint): bigint {
  const second = 1_000_000_000n;
  return (nanoseconds - (((nanoseconds % second) + second) % second)) / second;
}

function digestOf(place: string): string {
  const fd = openSync(fsPath(place), constants.O_RDONLY);
  const hash = createHash('md5');
  const buffer = Buffer.alloc(1024 * 1024);
  try {
    for (let length = readSync(fd, buffer); length > 0; length = readSync(fd, buffer))
      hash.update(buffer.subarray(0, length));
  } finally {
    closeSync(fd);
  }
  return hash.digest('hex');
}

/** The differences of two descriptions, one line each, for a message. */
export function differencesOf(actual: ReadonlyMap<string, string>, expected: ReadonlyMap<string, string>): string[] {
  const paths = [...new Set([...expected.keys(), ...actual.keys()])];
  return paths
    .filter((path) => actual.get(path) !== expected.get(path))
    .map((path) => {
      const shown = path.length > 120 ? `${path.slice(0, 100)}… (${path.length})` : path;
      return `${JSON.stringify(shown)}: ${cut(actual.get(path))} instead of ${cut(expected.get(path))}`;
    });
}

const cut = (line = 'missing'): string => (line.length > 400 ? `${line.slice(0, 400)}…` : line);
