/** Archives out of and into a container's root file system: entries, limits, owners, and that nothing leaves the root. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import { createGzip } from 'node:zlib';
import { getXattr, mount, unmount } from '@netyard/kernel';
import { openRootFilesystems } from '@netyard/runtime';
import { inFreshHost, withUntypedFolder } from '@netyard/testkit';
import { listing, plain, tar, useRootfsHost } from './rootfs-host.ts';

const fresh = inFreshHost(import.meta.url);
const host = useRootfsHost(fresh);

test('an archive has names, types, owners and hard links', fresh, async () => {
  await host.withContainer({ 'srv/dir/file': 'content', 'srv/empty': '' }, async (root) => {
    symlinkSync('/etc/shadow', join(root, 'srv/link'));
    linkSync(join(root, 'srv/dir/file'), join(root, 'srv/second'));
    execFileSync('sh', ['-c', 'mkfifo srv/pipe; chown 12:34 srv/dir/file; chmod 4711 srv/dir/file'], { cwd: root });
    const { stat, stream } = await host.rootfs.readArchive(root, '/srv');
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
    assert.deepEqual(await listing((await host.rootfs.readArchive(root, '/srv/link')).stream), [
      'lrwxrwxrwx 0/0 link -> /etc/shadow',
    ]);
    assert.deepEqual(
      (await listing((await host.rootfs.readArchive(root, '/srv/dir/.')).stream)).map((line) => line.split(' ').at(-1)),
      ['./', './file'],
    );
    const whole = await listing(await host.rootfs.exportTree(root));
    assert.ok(whole.some((line) => line.endsWith(' srv/dir/')));
    await assert.rejects(host.rootfs.readArchive(root, '/nothing'), { code: 'not-found' });
  });
});

test('a directory with more entries than a call has arguments is archived', fresh, async () => {
  await host.withContainer({ 'srv/many/0': '' }, async (root) => {
    for (let index = 1; index < 150_000; index += 1) writeFileSync(join(root, 'srv/many', String(index)), '');
    const { stream } = await host.rootfs.readArchive(root, '/srv/many');
    let length = 0;
    for await (const chunk of stream) {
      length += chunk.length;
      if (length > 1_000_000) break;
    }
    assert.ok(length > 1_000_000);
  });
});

test('an archive is whole on a file system that lists names without their types', fresh, async () => {
  await withUntypedFolder(async (folder) => {
    mkdirSync(join(folder, 'data/é'), { recursive: true });
    writeFileSync(join(folder, 'data/é/ü'), '');
    assert.deepEqual(await listing((await host.rootfs.readArchive(folder, '/data')).stream), [
      'drwxr-xr-x 0/0 data/',
      'drwxr-xr-x 0/0 data/\\303\\251/',
      '-rw-r--r-- 0/0 data/\\303\\251/\\303\\274',
    ]);
  });
});

test("a tree contains the kernel's directories and /dev without their content", fresh, async () => {
  await host.withContainer({ 'proc/x': '', 'dev/x': '', 'srv/file': 'content', 'srv/dev/x': '' }, async (root) => {
    mount({ source: 'proc', target: join(root, 'proc'), type: 'proc' });
    mount({ source: 'tmpfs', target: join(root, 'dev'), type: 'tmpfs' });
    mount({ source: 'tmpfs', target: join(root, 'srv/dev'), type: 'tmpfs' });
    try {
      execFileSync('sh', ['-c', 'mknod dev/null c 1 3; touch srv/dev/kept'], { cwd: root });
      const namesOf = async (path: string): Promise<(string | undefined)[]> => {
        const { stream } = await host.rootfs.readArchive(root, path);
        return (await listing(stream)).map((line) =>
          line
            .replace(/ -> .*/, '')
            .split(' ')
            .at(-1),
        );
      };
      assert.deepEqual(
        (await namesOf('/')).filter((name) => /^\/(?:proc|dev|srv)\//.test(String(name))),
        ['/dev/', '/proc/', '/srv/', '/srv/dev/', '/srv/dev/kept', '/srv/file'],
      );
      assert.deepEqual(await namesOf('/dev'), ['dev/', 'dev/null']);
      for (const path of ['/proc', '/proc/', '/proc/self/task', '/srv/../proc/.'])
        await assert.rejects(host.rootfs.readArchive(root, path), { code: 'invalid', message: /cannot be copied/ });
      assert.deepEqual(await namesOf('/proc/version'), ['version']);
    } finally {
      for (const path of ['srv/dev', 'dev', 'proc']) unmount(join(root, path), { lazy: true });
    }
  });
});

test('no entry of an archive is named after a path that leaves its folder', fresh, async () => {
  await host.withContainer({ 'srv/file': 'content' }, async (root) => {
    for (const path of ['..', '/..', 'srv/..', '/srv/../', 'srv/../..']) {
      const { stat, stream } = await host.rootfs.readArchive(root, path);
      assert.equal(stat.name, '/', path);
      assert.ok(
        (await listing(stream)).some((line) => line.endsWith(' /srv/file')),
        path,
      );
    }
    assert.equal((await host.rootfs.readArchive(root, '/srv/x/..')).stat.name, 'srv');
  });
});

test('a large archive is produced at the pace of its reader, and can be aborted', fresh, async () => {
  await host.withContainer({ 'data/x': '' }, async (root) => {
    for (let index = 0; index < 3000; index += 1) writeFileSync(join(root, 'data', String(index)), 'x'.repeat(700));
    writeFileSync(join(root, 'data/big'), Buffer.alloc(5_000_000));
    assert.equal((await listing((await host.rootfs.readArchive(root, '/data')).stream)).length, 3003);
    const given = (await host.rootfs.readArchive(root, '/data')).stream as Readable;
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

test('unpacking sets owners, modes, times, types and attributes', fresh, async () => {
  await host.withContainer({ 'target/old': 'old' }, async (root) => {
    const mtime = new Date(1_000_000_000_000);
    const members = await tar([
      { name: 'd', type: 'directory', mode: 0o751, uid: 5, gid: 6, mtime },
      { name: 'd/f', mode: 0o4755, uid: 1234, gid: 99, mtime, pax: { 'SCHILY.xattr.user.note': 'hello' } },
      { name: 'd/again', type: 'link', linkname: 'd/f' },
      { name: 'l', type: 'symlink', linkname: '/target/old', uid: 7, gid: 8, mtime },
      { name: 'p', type: 'fifo', mode: 0o640 },
      { name: 'n', type: 'character-device', devmajor: 1, devminor: 3, mode: 0o666 },
    ]);
    await host.rootfs.writeArchive(root, '/target', members, plain);
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
  test(`an archive with more ${what} than allowed is rejected and what it created is removed`, fresh, async () => {
    const limited = openRootFilesystems({ dataRoot: host.folder, archiveLimits: limits });
    await host.withContainer({ 'target/old': 'old', 'target/kept/inside': 'inside' }, async (root) => {
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
      await host.rootfs.writeArchive(root, '/target', await archive(), plain);
      assert.equal(readFileSync(join(root, 'target/implied/deep/file'), 'utf8').length, 1_000_000);
    });
  });
}

test('unpacking for an owner gives each entry to that user, resolved in the root itself', fresh, async () => {
  const files = { 'etc/passwd': 'web:x:1033:1044::/:/bin/sh\n', 'etc/group': 'staff:x:50:\n', 'target/old': 'old' };
  await host.withContainer(files, async (root) => {
    const ownersFor = async (owner: string | undefined): Promise<string[]> => {
      const members = await tar([
        { name: 'd', type: 'directory', uid: 5, gid: 6 },
        { name: 'd/f', mode: 0o4755, uid: 7, gid: 8 },
        { name: 'd/l', type: 'symlink', linkname: 'f', uid: 9, gid: 9 },
      ]);
      await host.rootfs.writeArchive(root, '/target', members, { ...plain, owner });
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

test('unpacking rejects or replaces existing entries', fresh, async () => {
  await host.withContainer({ 'target/file': 'f', 'target/dir/x': 'x' }, async (root) => {
    const put = async (members: Parameters<typeof tar>[0], noOverwriteDirNonDir = false) =>
      host.rootfs.writeArchive(root, '/target', await tar(members), { ...plain, noOverwriteDirNonDir });
    await assert.rejects(put([{ name: '../out' }]), /"..\/out" is outside of "\/target"/);
    await assert.rejects(put([{ name: 'h', type: 'link', linkname: '../../etc/passwd' }]), /invalid hardlink/);
    await assert.rejects(put([{ name: 'dir' }], true), /cannot overwrite directory "dir" with non-directory/);
    await assert.rejects(put([{ name: 'file', type: 'directory' }], true), /cannot overwrite non-directory "file"/);
    await put([{ name: 'dir' }]);
    assert.equal(readFileSync(join(root, 'target/dir'), 'utf8'), 'new');
    await assert.rejects(
      host.rootfs.writeArchive(root, '/target/file', await tar([]), plain),
      /extraction point is not a directory/,
    );
    await assert.rejects(host.rootfs.writeArchive(root, '/nothing', await tar([]), plain), { code: 'not-found' });
    await assert.rejects(
      host.rootfs.writeArchive(root, '/target', Readable.from([Buffer.from('x'.repeat(2000))]), plain),
      /invalid tar archive/,
    );
  });
});

test('no link leads out, neither an existing one nor one from the archive', fresh, async () => {
  const outside = join(host.folder, 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'victim'), 'untouched');
  await host.withContainer({ 'target/x': '' }, async (root) => {
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
    await host.rootfs.writeArchive(root, '/target', members, plain);
    assert.equal(readFileSync(join(root, outside, 'victim'), 'utf8'), 'new');
    assert.equal(readFileSync(join(root, 'target/victim'), 'utf8'), 'new');
    await host.rootfs.writeArchive(root, '/target/there', await tar([{ name: 'more' }]), plain);
    assert.ok(existsSync(join(root, outside, 'more')));
  });
  assert.equal(readFileSync(join(outside, 'victim'), 'utf8'), 'untouched');
  assert.deepEqual(readdirSync(outside), ['victim']);
});

test('a container that swaps directories for links while an archive is unpacked does not escape', fresh, async () => {
  const outside = join(host.folder, 'elsewhere');
  mkdirSync(outside);
  await host.withContainer({ 'target/x': '' }, async (root) => {
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
    await host.rootfs.writeArchive(root, '/target', await tar(names, 'x'.repeat(5000)), plain);
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
