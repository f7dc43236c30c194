/** Root file systems of containers: mounts, changes, and archives in and out, none of which leaves the root. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import { createGzip } from 'node:zlib';
import type { RootFilesystems } from '@netyard/engine';
import { getXattr, mount, setXattr, unmount } from '@netyard/kernel';
import { openRootFilesystems } from '@netyard/runtime';
import { inFreshHost, makeTree } from '@netyard/testkit';
import { pack } from 'tar-stream';

const host = inFreshHost(import.meta.url);
const chain = (digit: string): string => `sha256:${digit.repeat(64)}`;
const id = 'f'.repeat(64);
let folder: string;
let rootfs: RootFilesystems;

before(() => {
  if (host.skip !== false) return;
  folder = mkdtempSync(join(tmpdir(), 'netyard-rootfs-'));
  mount({ source: 'tmpfs', target: folder, type: 'tmpfs' }); // overlayfs cannot be mounted on another overlay
  rootfs = openRootFilesystems({ dataRoot: folder });
});
after(() => {
  if (host.skip !== false) return;
  unmount(folder, { lazy: true });
  rmSync(folder, { recursive: true });
});

/** A layer as if it had been unpacked. */
function layer(digit: string, files: Record<string, string>): string {
  const home = join(folder, 'overlay/layers', digit.repeat(64));
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(home, 'diff', path, '..'), { recursive: true });
    writeFileSync(join(home, 'diff', path), content);
  }
  writeFileSync(join(home, 'size'), String(Object.values(files).join('').length));
  return chain(digit);
}

async function withContainer(
  files: Record<string, string>,
  work: (root: string, layers: string[]) => Promise<void>,
): Promise<void> {
  const layers = [layer('1', files)];
  await rootfs.create(id, layers);
  try {
    await work(await rootfs.mount(id, layers), layers);
  } finally {
    await rootfs.remove(id);
    rmSync(join(folder, 'overlay/layers', '1'.repeat(64)), { recursive: true });
    rmSync(join(folder, 'overlay/init', '1'.repeat(64)), { recursive: true });
  }
}

test('mount points for engines exist and do not count as changes of the container', host, async () => {
  await withContainer({ 'etc/hosts': 'from the image', 'etc/x': '' }, async (root, layers) => {
    for (const path of ['dev/pts', 'proc', 'sys', '.dockerenv', 'etc/resolv.conf', 'dev/console']) {
      assert.ok(existsSync(join(root, path)), path);
    }
    assert.equal(readFileSync(join(root, 'etc/hosts'), 'utf8'), 'from the image');
    assert.equal(readlinkSync(join(root, 'etc/mtab')), '/proc/mounts');
    assert.deepEqual(await rootfs.changes(id, layers), []);
  });
});

test('changes and size of a container include names of any bytes and paths that are too long', host, async () => {
  await withContainer({ x: '' }, async (root, layers) => {
    makeTree(join(root, 'tree'), { seed: 1, longestPath: 7000, plain: true });
    const changes = await rootfs.changes(id, layers);
    const paths = changes.map(({ path }) => path);
    assert.ok(paths.includes('/tree/caf\udce9'));
    assert.ok(paths.some((path) => path.length > 3500));
    assert.ok((await rootfs.size(id, layers)).writable > 1_000_000);
  });
});

test('directories keep the mode of the image', host, async () => {
  const layers = [layer('2', { 'etc/x': '' })];
  chmodSync(join(folder, 'overlay/layers', '2'.repeat(64), 'diff/etc'), 0o710);
  await rootfs.create(id, layers);
  assert.equal(lstatSync(join(await rootfs.mount(id, layers), 'etc')).mode & 0o777, 0o710);
  await rootfs.remove(id);
});

test('a hundred layers can be mounted, more than a page of mount options holds', host, async () => {
  const home = join(folder, 'overlay/layers');
  const layers = Array.from({ length: 100 }, (_, index) => index.toString(16).padStart(64, '0'));
  for (const [index, hex] of layers.entries()) {
    mkdirSync(join(home, hex, 'diff'), { recursive: true });
    writeFileSync(join(home, hex, 'diff/top'), String(index));
    writeFileSync(join(home, hex, 'diff', `file${index}`), '');
    writeFileSync(join(home, hex, 'size'), '2');
  }
  const chains = layers.map((hex) => `sha256:${hex}`);
  await rootfs.create(id, chains);
  const root = await rootfs.mount(id, chains);
  assert.equal(readFileSync(join(root, 'top'), 'utf8'), '99');
  assert.ok(existsSync(join(root, 'file0')));
  assert.equal((await rootfs.size(id, chains)).total, 200);
  await rootfs.remove(id);
  assert.deepEqual(await rootfs.list(), []);
});

test('changes list added, modified, deleted and replaced files', host, async () => {
  const files = { 'a/kept': 'k', 'a/changed': 'c', 'a/gone': 'g', 'tree/one': '1', 'tree/two': '2', plain: 'p' };
  await withContainer(files, async (root, layers) => {
    writeFileSync(join(root, 'a/new'), 'n');
    writeFileSync(join(root, 'a/changed'), 'd');
    rmSync(join(root, 'a/gone'));
    rmSync(join(root, 'tree'), { recursive: true });
    mkdirSync(join(root, 'tree'));
    writeFileSync(join(root, 'tree/two'), '3');
    writeFileSync(join(root, 'short-lived'), '');
    rmSync(join(root, 'short-lived'));
    assert.deepEqual(
      (await rootfs.changes(id, layers)).map(({ path, kind }) => `${kind.charAt(0)} ${path}`),
      ['m /a', 'm /a/changed', 'd /a/gone', 'a /a/new', 'm /tree', 'd /tree/one', 'm /tree/two'],
    );
    assert.equal((await rootfs.size(id, layers)).writable, 3);
  });
});

test('withMounted mounts a stopped container for the duration of the call', host, async () => {
  const layers = [layer('3', { x: 'y' })];
  await rootfs.create(id, layers);
  const merged = join(folder, 'overlay/containers', id, 'merged');
  const visit = (work: () => Promise<void>) =>
    rootfs.withMounted(id, layers, async (root) => {
      assert.equal(readFileSync(join(root, 'x'), 'utf8'), 'y');
      await work();
    });
  await visit(() => visit(async () => undefined));
  assert.deepEqual(readdirSync(merged), []);
  await visit(async () => void (await rootfs.mount(id, layers))); // started meanwhile: the mount is kept
  assert.notDeepEqual(readdirSync(merged), []);
  const later = openRootFilesystems({ dataRoot: folder }); // a restarted daemon finds the mount
  await later.withMounted(id, layers, async () => undefined);
  assert.notDeepEqual(readdirSync(merged), []);
  await later.unmount(id);
  assert.deepEqual(readdirSync(merged), []);
  await later.remove(id);
});

test('a path is described with mode, size and link target', host, async () => {
  await withContainer({ 'etc/passwd': 'root', 'bin/tool': 'x' }, async (root) => {
    chmodSync(join(root, 'bin/tool'), 0o4755);
    symlinkSync('/etc/passwd', join(root, 'absolute'));
    symlinkSync('../../../../etc', join(root, 'etc/up'));
    symlinkSync('nowhere', join(root, 'broken'));
    const stat = async (path: string) => {
      const found = await rootfs.statInRoot(root, path);
      return found && [found.name, found.mode.toString(16), found.linkTarget];
    };
    assert.deepEqual(await stat('/etc/passwd'), ['passwd', (0o644).toString(16), '']);
    assert.deepEqual(await stat('bin/tool'), ['tool', (0x0080_0000 + 0o755).toString(16), '']);
    assert.deepEqual(await stat('/etc'), ['etc', (0x8000_0000 + 0o755).toString(16), '']);
    assert.deepEqual(await stat('/'), ['/', (0x8000_0000 + 0o755).toString(16), '']);
    assert.deepEqual(await stat('/absolute'), ['absolute', (0x0800_0000 + 0o777).toString(16), '/etc/passwd']);
    assert.deepEqual(await stat('/etc/up'), ['up', (0x0800_0000 + 0o777).toString(16), '/etc']);
    assert.deepEqual(await stat('/broken'), ['broken', (0x0800_0000 + 0o777).toString(16), '/nowhere']);
    assert.deepEqual((await stat('/etc/up/.'))?.[0], '.');
    for (const path of ['/nothing', '/etc/passwd/', '/absolute/', '/broken/'])
      assert.equal(await stat(path), undefined);
  });
});

async function tar(members: Parameters<ReturnType<typeof pack>['entry']>[0][], body = 'new'): Promise<Readable> {
  const archive = pack();
  for (const member of members) {
    if (member.type === undefined) archive.entry(member, body);
    else archive.entry(member);
  }
  archive.finalize();
  return Readable.from(archive as AsyncIterable<Uint8Array>);
}

async function listing(stream: NodeJS.ReadableStream): Promise<string[]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream as Readable) chunks.push(chunk);
  const text = execFileSync('tar', ['tvf', '-', '--numeric-owner'], {
    input: Buffer.concat(chunks),
    encoding: 'utf8',
    env: { TZ: 'UTC', PATH: process.env['PATH'] },
  });
  return text
    .trim()
    .split('\n')
    .map((line) => line.replace(/\s+\d+ \d{4}-\d\d-\d\d \d\d:\d\d /, ' '));
}

const plain = { noOverwriteDirNonDir: false };

test('an archive has names, types, owners and hard links', host, async () => {
  await withContainer({ 'srv/dir/file': 'content', 'srv/empty': '' }, async (root) => {
    symlinkSync('/etc/shadow', join(root, 'srv/link'));
    linkSync(join(root, 'srv/dir/file'), join(root, 'srv/second'));
    execFileSync('sh', ['-c', 'mkfifo srv/pipe; chown 12:34 srv/dir/file; chmod 4711 srv/dir/file'], { cwd: root });
    const { stat, stream } = await rootfs.readArchive(root, '/srv');
    assert.equal(stat.name, 'srv');
    assert.deepEqual(await listing(stream), [
      'drwxr-xr-x 0/0 srv/',
      'drwxr-xr-x 0/0 srv/dir/',
      '-rws--x--x 12/34 srv/dir/file',
      '-rw-r--r-- 0/0 srv/empty',
      'lrwxrwxrwx 0/0 srv/link -> /etc/shadow',
      'prw-r--r-- 0/0 srv/pipe',
      'hrws--x--x 12/34 srv/second link to srv/dir/file',
    ]);
    assert.deepEqual(await listing((await rootfs.readArchive(root, '/srv/link')).stream), [
      'lrwxrwxrwx 0/0 link -> /etc/shadow',
    ]);
    assert.deepEqual(
      (await listing((await rootfs.readArchive(root, '/srv/dir/.')).stream)).map((line) => line.split(' ').at(-1)),
      ['./', './file'],
    );
    const whole = await listing(await rootfs.exportTree(root));
    assert.ok(whole.some((line) => line.endsWith(' srv/dir/')));
    await assert.rejects(rootfs.readArchive(root, '/nothing'), { code: 'not-found' });
  });
});

test('a large archive is produced at the pace of its reader, and can be aborted', host, async () => {
  await withContainer({ 'data/x': '' }, async (root) => {
    for (let index = 0; index < 3000; index += 1) writeFileSync(join(root, 'data', String(index)), 'x'.repeat(700));
    writeFileSync(join(root, 'data/big'), Buffer.alloc(5_000_000));
    assert.equal((await listing((await rootfs.readArchive(root, '/data')).stream)).length, 3003);
    const given = (await rootfs.readArchive(root, '/data')).stream as Readable;
    await given[Symbol.asyncIterator]().next();
    given.destroy();
    while (readdirSync('/proc/self/fd').some((fd) => linkOf(fd).startsWith(join(root, 'data'))))
      await yieldToEventLoop();
  });
});

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return ''; // readdir's own
  }
}

test('unpacking sets owners, modes, times, types and attributes', host, async () => {
  await withContainer({ 'target/old': 'old' }, async (root) => {
    const mtime = new Date(1_000_000_000_000);
    const members = await tar([
      { name: 'd', type: 'directory', mode: 0o751, uid: 5, gid: 6, mtime },
      { name: 'd/f', mode: 0o4755, uid: 1234, gid: 99, mtime, pax: { 'SCHILY.xattr.user.note': 'hello' } },
      { name: 'd/again', type: 'link', linkname: 'd/f' },
      { name: 'l', type: 'symlink', linkname: '/target/old', uid: 7, gid: 8, mtime },
      { name: 'p', type: 'fifo', mode: 0o640 },
      { name: 'n', type: 'character-device', devmajor: 1, devminor: 3, mode: 0o666 },
    ]);
    await rootfs.writeArchive(root, '/target', members, plain);
    const at = (path: string) => lstatSync(join(root, 'target', path));
    assert.deepEqual(
      [at('d').mode & 0o7777, at('d').uid, at('d').gid, at('d').mtimeMs],
      [0o751, 5, 6, mtime.getTime()],
    );
    assert.deepEqual([at('d/f').mode & 0o7777, at('d/f').uid, at('d/f').mtimeMs], [0o4755, 1234, mtime.getTime()]);
    assert.equal(at('d/again').ino, at('d/f').ino);
    assert.deepEqual([at('l').uid, readlinkSync(join(root, 'target/l'))], [7, '/target/old']);
    assert.ok(at('p').isFIFO() && at('n').isCharacterDevice());
    assert.equal(readFileSync(join(root, 'target/old'), 'utf8'), 'old');
    const note = getXattr(join(root, 'target/d/f'), 'user.note');
    if (note) assert.equal(Buffer.from(note).toString(), 'hello'); // tmpfs has them since Linux 6.6
  });
});

for (const { what, limits, message } of [
  { what: 'entries', limits: { entries: 5 }, message: /it has more than 5 entries/ },
  { what: 'bytes', limits: { bytes: 2_500_000 }, message: /more than 2500000 bytes/ },
  { what: 'bytes for each byte sent', limits: { ratio: 50 }, message: /more than 50 times the bytes that were sent/ },
]) {
  test(`an archive with more ${what} than allowed is rejected and what it created is removed`, host, async () => {
    const limited = openRootFilesystems({ dataRoot: folder, archiveLimits: limits });
    await withContainer({ 'target/old': 'old', 'target/kept/inside': 'inside' }, async (root) => {
      const body = ' '.repeat(1_000_000);
      const members = () => [
        { name: 'new', type: 'directory' as const },
        { name: 'new/deep/file' },
        { name: 'kept', type: 'directory' as const },
        { name: 'kept/more' },
        { name: 'implied/deep/file' },
        { name: 'last' },
      ];
      const before = () =>
        execFileSync('find', ['.'], { cwd: join(root, 'target'), encoding: 'utf8' })
          .split('\n')
          .sort();
      const names = before();
      const archive = async (): Promise<Readable> => (await tar(members(), body)).pipe(createGzip());
      await assert.rejects(limited.writeArchive(root, '/target', await archive(), plain), {
        code: 'invalid',
        message,
      });
      assert.deepEqual(before(), names);
      assert.equal(readFileSync(join(root, 'target/kept/inside'), 'utf8'), 'inside');
      await rootfs.writeArchive(root, '/target', await archive(), plain);
      assert.equal(readFileSync(join(root, 'target/implied/deep/file'), 'utf8').length, 1_000_000);
    });
  });
}

test('unpacking for an owner gives each entry to that user, resolved in the root itself', host, async () => {
  const files = { 'etc/passwd': 'web:x:1033:1044::/:/bin/sh\n', 'etc/group': 'staff:x:50:\n', 'target/old': 'old' };
  await withContainer(files, async (root) => {
    const ownersFor = async (owner: string | undefined): Promise<string[]> => {
      const members = await tar([
        { name: 'd', type: 'directory', uid: 5, gid: 6 },
        { name: 'd/f', mode: 0o4755, uid: 7, gid: 8 },
        { name: 'd/l', type: 'symlink', linkname: 'f', uid: 9, gid: 9 },
      ]);
      await rootfs.writeArchive(root, '/target', members, { ...plain, owner });
      return ['d', 'd/f', 'd/l', 'old'].map((path) => {
        const { uid, gid } = lstatSync(join(root, 'target', path));
        return `${uid}:${gid}`;
      });
    };
    assert.deepEqual(await ownersFor(undefined), ['5:6', '7:8', '9:9', '0:0']);
    assert.deepEqual(await ownersFor('web'), ['1033:1044', '1033:1044', '1033:1044', '0:0']);
    assert.deepEqual((await ownersFor('1033:staff'))[1], '1033:50');
    assert.deepEqual((await ownersFor('77'))[1], '77:0');
    assert.equal(lstatSync(join(root, 'target/d/f')).mode & 0o7777, 0o4755);
    await assert.rejects(ownersFor('missing-user'), { code: 'invalid', message: /unable to find user missing-user/ });
  });
});

test('a directory is created inside the root, owned by root, and never replaces a file', host, async () => {
  await withContainer({ 'srv/file': '', 'etc/x': '' }, async (root) => {
    symlinkSync('/srv', join(root, 'link'));
    await rootfs.makeFolder(root, '/link/a/b');
    await rootfs.makeFolder(root, '/link/a/b');
    const made = lstatSync(join(root, 'srv/a/b'));
    assert.deepEqual([made.isDirectory(), made.mode & 0o777, made.uid, made.gid], [true, 0o755, 0, 0]);
    symlinkSync('/nowhere', join(root, 'srv/astray'));
    await rootfs.makeFolder(root, '/srv/astray/c');
    assert.equal(lstatSync(join(root, 'nowhere'), { throwIfNoEntry: false }), undefined);
    await assert.rejects(rootfs.makeFolder(root, '/srv/file'), /^NetyardError: Cannot mkdir: \/srv\/file is not a/);
    await assert.rejects(rootfs.makeFolder(root, '/srv/file/below'), /Cannot mkdir: \/srv\/file\/below is not a/);
  });
});

test('unpacking rejects or replaces existing entries', host, async () => {
  await withContainer({ 'target/file': 'f', 'target/dir/x': 'x' }, async (root) => {
    const put = async (members: Parameters<typeof tar>[0], noOverwriteDirNonDir = false) =>
      rootfs.writeArchive(root, '/target', await tar(members), { ...plain, noOverwriteDirNonDir });
    await assert.rejects(put([{ name: '../out' }]), /"..\/out" is outside of "\/target"/);
    await assert.rejects(put([{ name: 'h', type: 'link', linkname: '../../etc/passwd' }]), /invalid hardlink/);
    await assert.rejects(put([{ name: 'dir' }], true), /cannot overwrite directory "dir" with non-directory/);
    await assert.rejects(put([{ name: 'file', type: 'directory' }], true), /cannot overwrite non-directory "file"/);
    await put([{ name: 'dir' }]);
    assert.equal(readFileSync(join(root, 'target/dir'), 'utf8'), 'new');
    await assert.rejects(
      rootfs.writeArchive(root, '/target/file', await tar([]), plain),
      /extraction point is not a directory/,
    );
    await assert.rejects(rootfs.writeArchive(root, '/nothing', await tar([]), plain), { code: 'not-found' });
    await assert.rejects(
      rootfs.writeArchive(root, '/target', Readable.from([Buffer.from('x'.repeat(2000))]), plain),
      /invalid tar archive/,
    );
  });
});

test('no link leads out, neither an existing one nor one from the archive', host, async () => {
  const outside = join(folder, 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'victim'), 'untouched');
  await withContainer({ 'target/x': '' }, async (root) => {
    mkdirSync(join(root, outside), { recursive: true });
    symlinkSync(outside, join(root, 'target/there'));
    symlinkSync('../../../../../../../../..', join(root, 'target/up'));
    symlinkSync(join(outside, 'victim'), join(root, 'target/victim'));
    const members = await tar([
      { name: 'there/victim' }, // created inside the root, below the path that the link names
      { name: 'from-archive', type: 'symlink', linkname: outside },
      { name: 'from-archive/victim' },
      { name: `up/${outside}/victim` },
      { name: 'victim' }, // replaces the link, does not follow it
    ]);
    await rootfs.writeArchive(root, '/target', members, plain);
    assert.equal(readFileSync(join(root, outside, 'victim'), 'utf8'), 'new');
    assert.equal(readFileSync(join(root, 'target/victim'), 'utf8'), 'new');
    await rootfs.writeArchive(root, '/target/there', await tar([{ name: 'more' }]), plain);
    assert.ok(existsSync(join(root, outside, 'more')));
  });
  assert.equal(readFileSync(join(outside, 'victim'), 'utf8'), 'untouched');
  assert.deepEqual(readdirSync(outside), ['victim']);
});

test('a container that swaps directories for links while an archive is unpacked does not escape', host, async () => {
  const outside = join(folder, 'elsewhere');
  mkdirSync(outside);
  await withContainer({ 'target/x': '' }, async (root) => {
    mkdirSync(join(root, outside), { recursive: true });
    const swapping = { on: true };
    const swap = async (): Promise<void> => {
      mkdirSync(join(root, 'target/dir'), { recursive: true });
      symlinkSync(outside, join(root, 'target/link'));
      while (swapping.on) {
        renameSync(join(root, 'target/dir'), join(root, 'target/hidden'));
        renameSync(join(root, 'target/link'), join(root, 'target/dir'));
        await yieldToEventLoop();
        renameSync(join(root, 'target/dir'), join(root, 'target/link'));
        renameSync(join(root, 'target/hidden'), join(root, 'target/dir'));
        await yieldToEventLoop();
      }
    };
    const swapper = swap();
    const names = Array.from({ length: 300 }, (_, index) => ({ name: `dir/file${index}` }));
    await rootfs.writeArchive(root, '/target', await tar(names, 'x'.repeat(5000)), plain);
    swapping.on = false;
    await swapper;
    const inside = [join(root, outside), join(root, 'target/dir')].map((path) => readdirSync(path).length);
    assert.equal(
      inside.reduce((sum, count) => sum + count, 0),
      300,
    );
    assert.ok(
      inside.every((count) => count > 0),
      'the folder was swapped while files were written',
    );
  });
  assert.deepEqual(readdirSync(outside), []);
});

test('a new volume gets the image’s files', host, async () => {
  const volume = join(folder, 'volume');
  mkdirSync(volume);
  await withContainer({ 'var/data/a/b': 'content' }, async (root) => {
    chmodSync(join(root, 'var/data'), 0o2770);
    setXattr(join(root, 'var/data/a/b'), 'security.netyard', Buffer.from('kept'));
    await rootfs.copyTree(root, '/var/data', volume);
    await rootfs.copyTree(root, '/nothing', volume);
  });
  assert.equal(readFileSync(join(volume, 'a/b'), 'utf8'), 'content');
  assert.equal(lstatSync(volume).mode & 0o7777, 0o2770);
  assert.equal(Buffer.from(getXattr(join(volume, 'a/b'), 'security.netyard') ?? []).toString(), 'kept');
});

test('a stopped container is seen with its mounts in place, and none of them is left', host, async () => {
  await withContainer({ 'etc/hosts': 'from the image', 'real/x': 'x' }, async (root, layers) => {
    await rootfs.unmount(id);
    const volume = join(folder, 'a-volume');
    mkdirSync(volume);
    writeFileSync(join(volume, 'inside'), 'volume');
    symlinkSync('/real', join(volume, 'link'));
    const hosts = join(folder, 'hosts');
    writeFileSync(hosts, 'ours');
    const mounts = [
      { source: hosts, target: '/etc/hosts', readOnly: false },
      { source: volume, target: '/new/place', readOnly: false },
      { source: volume, target: '/locked', readOnly: true },
    ];
    await rootfs.withMounts(id, layers, { mounts, readOnlyRoot: false }, async (view) => {
      assert.equal(readFileSync(join(view, 'etc/hosts'), 'utf8'), 'ours');
      const listed = await listing((await rootfs.readArchive(view, '/new/place')).stream);
      assert.deepEqual(
        listed.map((line) => line.split(' ')[2]),
        ['place/', 'place/inside', 'place/link'],
      );
      await rootfs.writeArchive(view, '/new/place/link', await tar([{ name: 'through' }]), plain);
      await assert.rejects(
        rootfs.writeArchive(view, '/locked', await tar([{ name: 'x' }]), plain),
        /^NetyardError: mounted volume is marked read-only$/,
      );
    });
    await rootfs.withMounts(id, layers, { mounts, readOnlyRoot: true }, async (view) => {
      await assert.rejects(
        rootfs.writeArchive(view, '/real', await tar([{ name: 'x' }]), plain),
        /container rootfs is marked read-only/,
      );
      await rootfs.writeArchive(view, '/new/place', await tar([{ name: 'more' }]), plain);
    });
    assert.deepEqual(readdirSync(volume).sort(), ['inside', 'link', 'more']);
    assert.deepEqual(readdirSync(join(folder, 'overlay/temporary')), []);
    assert.ok(!readFileSync('/proc/self/mounts', 'utf8').includes('overlay/temporary'));
    await rootfs.mount(id, layers);
    assert.equal(readFileSync(join(root, 'real/through'), 'utf8'), 'new');
    assert.equal(readFileSync(join(root, 'etc/hosts'), 'utf8'), 'from the image');
  });
});
