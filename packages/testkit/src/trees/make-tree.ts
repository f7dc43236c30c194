/**
 * Creates a folder with all kinds of entries that an archive may contain, chosen by a seed: sizes around block sizes,
 * holes, hard links, devices, unusual owners, modes, times, attributes and names. Needs root.
 */
import {
  chmodSync,
  closeSync,
  constants,
  ftruncateSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { fsPath, textOf } from '@netyard/core';
import { makeDevice, makeFifo, O_PATH, setTimes, setXattr } from '@netyard/kernel';
import { Random } from './random.ts';

export interface TreeOptions {
  seed: number;
  /** Length of the file that consists of one hole. */
  emptyHole?: number;
  /** Only entries that an image layer may have: no whiteouts, no symbolic link out of the folder, no block devices. */
  layer?: boolean;
  /** Without extended attributes: for file systems or archives that have none. */
  plain?: boolean;
  /** Length of the longest path below the folder, in bytes. */
  longestPath?: number;
}

const bytes = (...values: number[]): string => textOf(Buffer.from(values));

/** Names that programs often mishandle; each is the name of one entry. */
const names: readonly string[] = [
  'plain',
  ' leading and trailing ',
  'new\nline',
  '-rf',
  'back\\slash\\101',
  '"quoted" \'twice\'',
  '\t\x01\x1b[31m\x7f',
  '*?[a]',
  '...',
  'a=b',
  '12 path=x',
  '文件',
  '😀 e\u0301',
  '\ufeffbyte order mark',
  '\ufffd',
  bytes(0x63, 0x61, 0x66, 0xe9),
  bytes(0xff, 0xfe, 0x80, 0xc0, 0xaf),
  bytes(0xed, 0xb2, 0x80),
  'n'.repeat(99),
  'o'.repeat(100),
  'p'.repeat(101),
  'q'.repeat(255),
  '文'.repeat(85),
];

/** Names with a meaning in an image layer. */
const whiteouts: readonly string[] = ['.wh.x', '.wh..wh..opq', '.wh.'];

const sizes = [
  0, 1, 511, 512, 513, 1023, 1024, 4095, 4096, 65_535, 65_536, 65_537, 262_143, 262_144, 262_145, 1_048_575, 1_048_576,
  1_048_577,
] as const;
const modes = [0o644, 0o600, 0o755, 0, 0o444, 0o4755, 0o2755, 0o6711, 0o1777, 0o7777] as const;
const ids = [0, 0, 1000, 65_534, 65_536, 0o7777777, 0o10000000, 3_000_000_000, 4_294_967_294] as const;
/** Seconds: before 1970, after 2038, and on both sides of the largest number of eleven octal digits (2242). */
const seconds = [
  -2_147_483_000n,
  -86_400n,
  -1n,
  0n,
  1n,
  1_700_000_000n,
  2_147_483_648n,
  8_589_934_591n,
  8_589_934_592n,
];
const fractions = [0n, 1n, 500_000_000n, 123_456_789n, 999_999_999n];
const linkLengths = [1, 99, 100, 101, 155, 255, 256, 1000, 4095] as const;

/** Creates `folder`, which must not exist, and fills it. */
export function makeTree(folder: string, options: TreeOptions): void {
  mkdirSync(folder);
  const fd = openSync(folder, O_PATH | constants.O_DIRECTORY);
  try {
    new TreeMaker(options).fill(fd);
  } finally {
    closeSync(fd);
  }
}

class TreeMaker {
  readonly #random: Random;
  readonly #options: TreeOptions;

  constructor(options: TreeOptions) {
    this.#random = new Random(options.seed);
    this.#options = options;
  }

  fill(top: number): void {
    for (const name of names) this.#entry(top, name);
    if (!this.#options.layer) for (const name of whiteouts) this.#file(top, name);
    this.#below(top, 'sizes', (fd) => {
      for (const size of sizes) this.#file(fd, `size-${size}`, size);
    });
    this.#below(top, 'holes', (fd) => this.#holes(fd));
    this.#below(top, 'links', (fd) => this.#symlinks(fd));
    this.#below(top, 'nodes', (fd) => this.#nodes(fd));
    this.#below(top, 'hard', (fd) => this.#hardLinks(top, fd));
    this.#below(top, 'attributes', (fd) => this.#attributes(fd));
    this.#below(top, 'deep', (fd) => this.#deep(fd, 'deep'.length));
    this.#below(top, 'empty', () => undefined);
  }

  /** A folder; its time is set after its entries are created. */
  #below(folder: number, name: string, fill: (fd: number) => void): void {
    mkdirSync(inFolder(folder, name));
    const fd = openSync(inFolder(folder, name), O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      fill(fd);
    } finally {
      closeSync(fd);
    }
    this.#finish(folder, name);
  }

  #entry(folder: number, name: string): void {
    const kind = this.#random.below(5);
    if (kind === 0) this.#below(folder, name, (fd) => this.#file(fd, name));
    else if (kind === 1) this.#symlink(folder, name, name);
    else this.#file(folder, name);
  }

  #file(folder: number, name: string, size: number = this.#random.pick(sizes)): void {
    const fd = create(folder, name);
    try {
      writeSync(fd, this.#random.bytes(size));
    } finally {
      closeSync(fd);
    }
    this.#finish(folder, name);
  }

  #sparse(folder: number, name: string, size: number, offsets: readonly number[]): void {
    const fd = create(folder, name);
    try {
      ftruncateSync(fd, size);
      for (const offset of offsets) writeSync(fd, this.#random.bytes(1 + this.#random.below(4096)), null, null, offset);
    } finally {
      closeSync(fd);
    }
    this.#finish(folder, name);
  }

  #holes(folder: number): void {
    const size = 2_000_000 + this.#random.below(1_000_000);
    this.#sparse(folder, 'start', size, [size - 4096]);
    this.#sparse(folder, 'middle', size, [0, size - 4096]);
    this.#sparse(folder, 'end', size, [0]);
    this.#sparse(folder, 'both', size, [1_000_000]);
    const many = Array.from({ length: 30 + this.#random.below(60) }, (_, index) => index * 65_536);
    this.#sparse(folder, 'many', many.length * 65_536 + 17, many);
    this.#sparse(folder, 'nothing', this.#options.emptyHole ?? 64 * 1024 * 1024, []);
  }

  #symlinks(folder: number): void {
    this.#symlink(folder, 'self', 'self');
    this.#symlink(folder, 'dangling', 'no/such/place');
    this.#symlink(folder, 'absolute', '/etc/passwd');
    this.#symlink(folder, 'bytes', bytes(0x2f, 0xe9, 0x0a, 0xff));
    if (!this.#options.layer) this.#symlink(folder, 'above-the-root', '../../../../../../etc/passwd');
    for (const length of linkLengths) this.#symlink(folder, `to-${length}`, 't'.repeat(length));
  }

  #symlink(folder: number, name: string, target: string): void {
    symlinkSync(fsPath(target), inFolder(folder, name));
    this.#finish(folder, name, 'link');
  }

  #nodes(folder: number): void {
    const device = (name: string, type: 'block' | 'character', major: number, minor: number): void => {
      makeDevice(`/proc/self/fd/${folder}/${name}`, type, major, minor);
      this.#finish(folder, name);
    };
    makeFifo(`/proc/self/fd/${folder}/fifo`);
    this.#finish(folder, 'fifo');
    device('null', 'character', 1, 3);
    device('terminal', 'character', 136, 200);
    if (this.#options.layer) return;
    device('disk', 'block', 8, 300);
    device('far', 'character', 4095, 1_048_575);
  }

  /** Hard links of a file, across folders, of a symbolic link, of a FIFO. */
  #hardLinks(top: number, folder: number): void {
    this.#file(folder, 'first');
    linkSync(inFolder(folder, 'first'), inFolder(folder, 'second'));
    linkSync(inFolder(folder, 'first'), inFolder(top, 'zz-third'));
    linkSync(inFolder(folder, 'first'), inFolder(top, `zz-${'x'.repeat(150)}`));
    this.#symlink(folder, 'link', 'first');
    linkSync(inFolder(folder, 'link'), inFolder(top, 'zz-link'));
    makeFifo(`/proc/self/fd/${folder}/pipe`);
    this.#finish(folder, 'pipe');
    linkSync(inFolder(folder, 'pipe'), inFolder(folder, 'pipe-again'));
  }

  #attributes(folder: number): void {
    const set = (name: string, values: Readonly<Record<string, Buffer>>): void => {
      this.#file(folder, name, 100);
      const times = this.#time();
      if (!this.#options.plain)
        for (const [key, value] of Object.entries(values)) setXattr(`/proc/self/fd/${folder}/${name}`, key, value);
      setTimes(folder, name, times);
    };
    set('user', {
      'user.binary': Buffer.from([0, 0xff, 0x0a, 0x3d, 0]),
      'user.empty': Buffer.alloc(0),
      'user.long': this.#random.bytes(1500),
      [`user.${bytes(0xe9, 0xff)}`]: Buffer.from('a name that is not UTF-8'),
      'user.文': Buffer.from('文'),
    });
    set('capability', { 'security.capability': Buffer.from('0100000200200000000000000000000000000000', 'hex') });
    set('overlay', { 'trusted.overlay.redirect': Buffer.from('/etc'), 'trusted.other': Buffer.from('host') });
    this.#below(folder, 'opaque', (fd) => {
      if (!this.#options.plain) setXattr(`/proc/self/fd/${fd}`, 'trusted.overlay.opaque', Buffer.from('y'));
      if (!this.#options.plain) setXattr(`/proc/self/fd/${fd}`, 'user.folder', this.#random.bytes(40));
    });
  }

  /** Nested folders, until the path of the file in the last one has the requested length. */
  #deep(folder: number, length: number): void {
    const left = (this.#options.longestPath ?? 4000) - length - 1;
    if (left <= 255) this.#file(folder, 'f'.repeat(Math.max(1, left)), 10);
    else this.#below(folder, 'd'.repeat(200), (fd) => this.#deep(fd, length + 201));
  }

  #time(): bigint {
    const random = this.#random;
    return (seconds[random.below(seconds.length)] ?? 0n) * 1_000_000_000n + (fractions[random.below(5)] ?? 0n);
  }

  #finish(folder: number, name: string, kind: 'link' | 'other' = 'other'): void {
    const path = inFolder(folder, name);
    lchownSync(path, this.#random.pick(ids), this.#random.pick(ids));
    if (kind === 'other') chmodSync(path, this.#random.pick(modes));
    setTimes(folder, name, this.#time());
  }
}

const inFolder = (folder: number, name: string): string | Buffer => fsPath(`/proc/self/fd/${folder}/${name}`);

function create(folder: number, name: string): number {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  return openSync(inFolder(folder, name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
}
