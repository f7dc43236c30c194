/** Tar archives: written headers are read back, GNU tar's formats are read, and hostile archives are rejected. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { type ArchiveLimits, ArchiveMeter } from '../archive-limits.ts';
import { decompress } from '../compression.ts';
import { bytesOf, textOf } from './byte-text.ts';
import { decodeTime } from './decode.ts';
import { encodeEnd, encodeHeader, encodePadding, encodeTime } from './encode.ts';
import { type TarHeader, type TarType, tarHeader } from './header.ts';
import { tarEntries } from './read.ts';

/** A deterministic random number generator, so that a failure can be reproduced. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const bytes = (next: (below: number) => number, length: number, from = 1): Buffer =>
  Buffer.from(Array.from({ length }, () => from + next(256 - from)));

async function* inPieces(archive: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < archive.length; at += size) yield archive.subarray(at, at + size);
}

async function readAll(
  archive: Uint8Array,
  { size = 1000, limits = {} }: { size?: number; limits?: Partial<ArchiveLimits> } = {},
): Promise<{ header: TarHeader; body: Buffer }[]> {
  const found: { header: TarHeader; body: Buffer }[] = [];
  for await (const { header, body } of tarEntries(inPieces(archive, size), new ArchiveMeter(limits))) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of body) chunks.push(chunk);
    found.push({ header, body: Buffer.concat(chunks) });
  }
  return found;
}

const entry = (header: TarHeader, body: Uint8Array = Buffer.alloc(0)): Buffer =>
  Buffer.concat([encodeHeader(header), body, encodePadding(body.length)]);

test('any bytes are converted to text and back without loss', () => {
  const next = numbers(1);
  for (let round = 0; round < 2000; round += 1) {
    const value = bytes(next, next(30), 0);
    assert.deepEqual(bytesOf(textOf(value)), value);
  }
  for (const text of ['plain', 'größe', '文件', '😀', '\ufffd', '\ufeffbom']) {
    assert.equal(textOf(Buffer.from(text)), text);
    assert.deepEqual(bytesOf(text), Buffer.from(text));
  }
  const surrogate = Buffer.from([0xed, 0xb2, 0x80]); // an encoded lone surrogate is not valid UTF-8
  assert.deepEqual(bytesOf(textOf(surrogate)), surrogate);
});

test('times keep their nanoseconds, also before 1970', () => {
  for (const time of [0n, 1n, -1n, 1_700_000_000_123_456_789n, -86_400_000_000_001n, 10n ** 20n])
    assert.equal(decodeTime(encodeTime(time)), time);
});

test('any header is written and read back without loss', async () => {
  const next = numbers(7);
  const types: TarType[] = ['file', 'directory', 'symlink', 'link', 'fifo', 'character-device', 'block-device'];
  for (let round = 0; round < 300; round += 1) {
    const type = types[next(types.length)] ?? 'file';
    const body = type === 'file' ? bytes(next, next(2000), 0) : Buffer.alloc(0);
    const isLink = type === 'symlink' || type === 'link';
    const isDevice = type.endsWith('-device');
    const name = textOf(bytes(next, 1 + next([20, 99, 100, 300, 5000][next(5)] ?? 1)));
    const header = tarHeader({
      name: type === 'file' ? name.replace(/\/$/, 'x') : name,
      type,
      linkname: isLink ? textOf(bytes(next, 1 + next(next(2) ? 99 : 300))) : '',
      size: body.length,
      mode: next(0o10000),
      uid: next(2) ? next(65536) : 4_000_000_000,
      gid: next(2) ? next(65536) : 0o7777777 + next(3),
      mtime: BigInt(next(2 ** 31)) * 1_000_000_000n * (next(4) ? 1n : -1n) + BigInt(next(2) * next(1e9)),
      devmajor: isDevice ? next(4096) : 0,
      devminor: isDevice ? next(2 ** 20) : 0,
      xattrs: new Map(
        next(3)
          ? []
          : [
              ['user.a', bytes(next, next(100), 0)],
              [textOf(bytes(next, 5, 0x80)), bytes(next, 3, 0)],
            ],
      ),
    });
    const archive = Buffer.concat([entry(header, body), encodeEnd()]);
    const [found, more] = await readAll(archive, { size: 1 + next(1500) });
    assert.deepEqual(
      { ...found?.header, xattrs: plain(found?.header.xattrs) },
      { ...header, xattrs: plain(header.xattrs) },
    );
    assert.deepEqual(found?.body, body);
    assert.equal(more, undefined);
  }
});

const plain = (xattrs: TarHeader['xattrs'] | undefined): string[][] =>
  [...(xattrs ?? [])].map(([name, value]) => [name, Buffer.from(value).toString('hex')]);

test('a size above 8 GiB is written and read back', async () => {
  const size = 9 * 2 ** 30;
  const reading = tarEntries(inPieces(encodeHeader(tarHeader({ name: 'big', size })), 512))[Symbol.asyncIterator]();
  assert.equal((await reading.next()).value?.header.size, size);
  await assert.rejects(reading.next(), /unexpected EOF/);
});

const formats = [
  ['v7'],
  ['ustar'],
  ['gnu'],
  ['pax'],
  ['gnu', '-S'],
  ['pax', '-S', '--sparse-version=0.0'],
  ['pax', '-S', '--sparse-version=0.1'],
  ['pax', '-S', '--sparse-version=1.0'],
] as const;

for (const [format, ...options] of formats) {
  test(`reads archives of GNU tar ${[format, ...options].join(' ')}`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'netyard-tar-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const long = format === 'gnu' || format === 'pax' ? 'l'.repeat(200) : 'short';
    writeFileSync(join(folder, long), 'content');
    // more segments than fit into one block of the old format
    const content = Buffer.alloc(9_000_000);
    const fd = openSync(join(folder, 'holes'), 'w');
    for (let at = 0; at < 60; at += 1) {
      writeSync(fd, `data ${at}`, at * 65_536);
      content.write(`data ${at}`, at * 65_536);
    }
    ftruncateSync(fd, content.length);
    closeSync(fd);
    const archive = execFileSync('tar', [`--format=${format}`, ...options, '-cf', '-', long, 'holes'], {
      cwd: folder,
      maxBuffer: 64 * 1024 * 1024,
    });
    const found = await readAll(archive);
    assert.deepEqual(
      found.map(({ header }) => header.name),
      [long, 'holes'],
    );
    assert.equal(found[0]?.body.toString(), 'content');
    assert.ok(found[1]?.body.equals(content));
    if (options.length > 0) assert.ok((found[1]?.header.sparse?.length ?? 0) > 21);
  });
}

const raw = (header: Partial<TarHeader> & { name: string }, flag: string, body: Uint8Array | string = ''): Buffer => {
  const content = Buffer.from(body);
  const block = encodeHeader(tarHeader({ ...header, size: header.size ?? content.length }));
  return Buffer.concat([rewritten(block, (copy) => copy.write(flag, 156)), content, encodePadding(content.length)]);
};

/** The block with a modification and a matching checksum. */
function rewritten(block: Buffer, change: (block: Buffer) => void): Buffer {
  const copy = Buffer.from(block);
  change(copy);
  copy.write('        ', 148);
  const sum = copy.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  copy.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return copy;
}

const file = entry(tarHeader({ name: 'f', size: 3 }), Buffer.from('abc'));
const sparse = (map: string, size = '10'): Buffer =>
  raw(
    { name: 'x' },
    'x',
    record('GNU.sparse.major', '0') +
      record('GNU.sparse.minor', '1') +
      record('GNU.sparse.map', map) +
      record('GNU.sparse.size', size),
  );

function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length += 1;
  return `${length}${rest}`;
}

test('the padding of the last entry may be missing, as in contexts of the docker CLI', async () => {
  const names: string[] = [];
  for await (const { header } of tarEntries(inPieces(file.subarray(0, 512 + 3), 100))) names.push(header.name);
  assert.equal(names.length, 1);
});

const hostile: [string, Buffer, RegExp][] = [
  ['a wrong checksum', Buffer.from(file).fill('x', 0, 1), /invalid tar header/],
  ['no header at all', Buffer.from('no archive'.repeat(200)), /invalid tar header/],
  ['half a header', file.subarray(0, 300), /unexpected EOF/],
  ['half a content', file.subarray(0, 513), /unexpected EOF/],
  ['half a padding', file.subarray(0, 600), /unexpected EOF/],
  ['a size that is not a number', rewritten(file, (block) => block.write('9z', 124)), /invalid tar header/],
  ['a negative size', rewritten(file, (block) => block.fill(0xff, 124, 136)), /invalid tar header/],
  [
    'a size beyond all numbers',
    rewritten(file, (block) => block.fill(0x7f, 125, 136).writeUInt8(0x80, 124)),
    /too large/,
  ],
  ['a name of 2 MiB', raw({ name: 'l' }, 'L', 'n'.repeat(2 * 2 ** 20)), /too long/],
  ['a pax header of 2 MiB', raw({ name: 'x' }, 'x', record('path', 'n'.repeat(2 * 2 ** 20))), /too long/],
  ['a pax record that points back', raw({ name: 'x' }, 'x', '0 a=b\n'), /invalid pax record/],
  ['a pax record beyond the end', raw({ name: 'x' }, 'x', '99 a=b\n'), /invalid pax record/],
  ['a pax name with NUL', raw({ name: 'x' }, 'x', record('path', 'a\0b')), /contains a NUL byte/],
  [
    'a pax size that is not a number',
    Buffer.concat([raw({ name: 'x' }, 'x', record('size', '1e3')), file]),
    /is not a number/,
  ],
  ['a sparse map with an odd count', Buffer.concat([sparse('0,3,5'), file]), /invalid sparse map/],
  ['a sparse map beyond the end', Buffer.concat([sparse('9,3'), file]), /invalid sparse map/],
  ['a sparse map that goes back', Buffer.concat([sparse('5,2,0,1'), file]), /invalid sparse map/],
  ['a sparse map with other lengths', Buffer.concat([sparse('0,2'), file]), /invalid sparse map/],
];

for (const [what, archive, message] of hostile) {
  test(`an archive with ${what} is rejected`, async () => {
    await assert.rejects(readAll(archive), { code: 'invalid', message });
  });
}

test('an endless sequence of headers exceeds the limit of entries', async () => {
  const endless = Buffer.concat(Array.from({ length: 30 }, () => raw({ name: 'x' }, 'x', record('path', 'p'))));
  await assert.rejects(readAll(endless, { limits: { entries: 20 } }), /more than 20 entries/);
});

test('the total size of all files is limited, including holes', async () => {
  const two = Buffer.concat([file, file, encodeEnd()]);
  assert.equal((await readAll(two, { limits: { bytes: 6 } })).length, 2);
  await assert.rejects(readAll(two, { limits: { bytes: 5 } }), /its files have more than 5 bytes/);
  const holes = Buffer.concat([
    raw({ name: 'x' }, 'x', record('GNU.sparse.map', '0,3') + record('GNU.sparse.size', '9000')),
    file,
  ]);
  await assert.rejects(readAll(holes, { limits: { bytes: 8999 } }), /its files have more than 8999 bytes/);
});

test('expanded data are limited in bytes and in their ratio to the transferred bytes', async () => {
  const zeros = Buffer.alloc(4 * 1024 * 1024);
  const expand = async (sent: Uint8Array, limits: Partial<ArchiveLimits>): Promise<number> => {
    const { stream } = await decompress(inPieces(sent, 1000), new ArchiveMeter(limits));
    let size = 0;
    for await (const chunk of stream) size += chunk.length;
    return size;
  };
  for (const sent of [gzipSync(zeros), zstdCompressSync(zeros)]) {
    assert.equal(await expand(sent, { bytes: zeros.length, ratio: 100_000 }), zeros.length);
    await assert.rejects(expand(sent, { bytes: zeros.length - 1 }), /it expands to more than 4194303 bytes/);
    await assert.rejects(expand(sent, { ratio: 20 }), {
      code: 'invalid',
      message: 'invalid archive: it expands to more than 20 times the bytes that were sent',
      hint: "raise the daemon's option --max-archive-ratio, which sets this limit",
    });
  }
  assert.equal(await expand(zeros, { ratio: 1 }), zeros.length);
  assert.equal(await expand(gzipSync(Buffer.alloc(100_000)), { ratio: 1 }), 100_000);
});

test('entries are read as by dockerd and containerd: global headers ignored, links without content, the last name wins', async () => {
  const archive = Buffer.concat([
    raw({ name: 'g' }, 'g', record('path', 'global')),
    entry(tarHeader({ name: 'first' })),
    raw({ name: 'x' }, 'x', record('path', 'pax')),
    raw({ name: 'l' }, 'L', 'gnu\0'),
    file,
    rewritten(encodeHeader(tarHeader({ name: 'link', type: 'link', linkname: 'first' })), (block) =>
      block.write('00000001000', 124),
    ),
    file,
    encodeEnd(),
    file,
  ]);
  assert.deepEqual(
    (await readAll(archive)).map(({ header, body }) => [header.name, header.type, body.toString()]),
    [
      ['first', 'file', ''],
      ['gnu', 'file', 'abc'],
      ['link', 'link', ''],
      ['f', 'file', 'abc'],
    ],
  );
});

test('unread content is skipped, and leaving the iteration early closes the source', async () => {
  let closed = false;
  const source = async function* (): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield file;
    } finally {
      closed = true;
    }
  };
  let count = 0;
  for await (const { header, pieces } of tarEntries(source())) {
    assert.equal(header.name, 'f');
    count += 1;
    if (count === 2) for await (const _ of pieces) break;
    if (count === 5) break;
  }
  assert.ok(closed);
});

test('a reader may free content that it has received', async () => {
  const sizes = [300, 1000, 236];
  const source = async function* (): AsyncGenerator<Uint8Array> {
    yield encodeHeader(tarHeader({ name: 'owned', type: 'file', size: 1536 }));
    for (const size of sizes) yield new Uint8Array(size);
  };
  const found: number[][] = [];
  for await (const { pieces } of tarEntries(source()))
    for await (const { position, data } of pieces) {
      found.push([position, data.length]);
      if (data.buffer instanceof ArrayBuffer) data.buffer.transfer(0);
    }
  assert.deepEqual(found, [
    [0, 300],
    [300, 1000],
    [1300, 236],
  ]);
});
