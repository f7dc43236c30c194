/** Mounts, FIFOs, holes, and paths that try to leave their root. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import {
  bindMount,
  bytesInPipe,
  hasErrno,
  listEntries,
  listFileXattrs,
  makeFifo,
  mount,
  mountOverlay,
  openAt,
  openFifo,
  openInRoot,
  punchHole,
  removeTree,
  separateSubdirectories,
  setFileTimes,
  setXattr,
  spliceToFile,
  unmount,
} from '@netyard/kernel';
import { inFreshHost, makeTree, withUntypedFolder } from '@netyard/testkit';

const host = inFreshHost(import.meta.url);

function withFolder(work: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-files-'));
  try {
    work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('neither symbolic links nor .. leave the root', host, () => {
  withFolder((folder) => {
    const root = join(folder, 'root');
    mkdirSync(join(root, 'etc'), { recursive: true });
    writeFileSync(join(folder, 'passwd'), 'outside');
    writeFileSync(join(root, 'etc/passwd'), 'inside');
    symlinkSync('/etc/passwd', join(root, 'absolute'));
    symlinkSync('../../../../passwd', join(root, 'etc/relative'));
    symlinkSync('/proc/self/root/etc', join(root, 'magic'));
    for (const path of ['/etc/passwd', 'etc/passwd', '../../etc/passwd', 'absolute']) {
      const fd = openInRoot(root, path);
      assert.equal(readFileSync(fd, 'utf8'), 'inside', path);
      closeSync(fd);
    }
    for (const path of ['etc/relative', 'magic/passwd', '../passwd', 'absent']) {
      assert.throws(
        () => openInRoot(root, path),
        (error) => hasErrno(error, 'ENOENT'),
        path,
      );
    }
    closeSync(openInRoot(root, '/../new', constants.O_WRONLY | constants.O_CREAT, 0o600));
    assert.equal(statSync(join(root, 'new')).mode & 0o777, 0o600);
  });
});

test('a file is opened by its name in an open directory, and a link there is not followed', host, () => {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-'));
  const held = openInRoot('/', folder, constants.O_DIRECTORY);
  try {
    const fd = openAt(held, '文件', constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o640);
    setFileTimes(fd, -1n);
    assert.deepEqual(listFileXattrs(fd), []);
    setXattr(join(folder, '文件'), 'user.note', Buffer.from('x'));
    assert.deepEqual(listFileXattrs(fd), ['user.note']);
    closeSync(fd);
    const { mode, mtimeNs } = statSync(join(folder, '文件'), { bigint: true });
    assert.deepEqual([mode & 0o777n, mtimeNs], [0o640n, -1n]);
    symlinkSync('/etc/passwd', join(folder, 'link'));
    assert.throws(() => openAt(held, 'link', constants.O_NOFOLLOW), /ELOOP/);
    closeSync(openInRoot(held, '/文件'));
  } finally {
    closeSync(held);
    rmSync(folder, { recursive: true });
  }
});

test('a non-blocking FIFO reads end-of-file when its writer ends', host, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-fifo-'));
  const path = join(folder, 'fifo');
  makeFifo(path);
  assert.throws(
    () => openFifo(path, 'write'),
    (error) => hasErrno(error, 'ENXIO'),
  );
  const reader = new Socket({ fd: openFifo(path, 'read'), readable: true, writable: false });
  const writer = openFifo(path, 'write');
  writeSync(writer, 'line');
  closeSync(writer);
  let text = '';
  for await (const chunk of reader) text += String(chunk);
  assert.equal(text, 'line');
  rmSync(folder, { recursive: true });
});

test('splice moves a pipe’s bytes into a file and distinguishes an empty pipe from one without a writer', host, () => {
  withFolder((folder) => {
    const path = join(folder, 'fifo');
    makeFifo(path);
    const reader = openFifo(path, 'read');
    const file = openSync(join(folder, 'file'), 'w+');
    assert.equal(spliceToFile(reader, file, 0, 100), 0);
    const writer = openFifo(path, 'write');
    assert.equal(spliceToFile(reader, file, 0, 100), undefined);
    assert.equal(bytesInPipe(reader), 0);
    writeSync(writer, 'one two');
    assert.equal(bytesInPipe(reader), 7);
    assert.equal(spliceToFile(reader, file, 0, 4), 4);
    closeSync(writer);
    assert.equal(spliceToFile(reader, file, 4, 100), 3);
    assert.equal(spliceToFile(reader, file, 7, 100), 0);
    assert.equal(readFileSync(join(folder, 'file'), 'utf8'), 'one two');
    for (const fd of [reader, file]) closeSync(fd);
    for (const use of [() => spliceToFile(reader, file, 0, 1), () => bytesInPipe(reader)])
      assert.throws(use, (error) => hasErrno(error, 'EBADF'));
  });
});

test('punching a hole frees disk space and keeps the size', host, () => {
  withFolder((folder) => {
    mount({ source: 'tmpfs', target: folder, type: 'tmpfs' });
    const path = join(folder, 'log');
    writeFileSync(path, Buffer.alloc(1 << 20, 'x'));
    const before = statSync(path).blocks;
    const fd = openSync(path, 'r+');
    punchHole(fd, 0, 1 << 19);
    closeSync(fd);
    assert.equal(statSync(path).size, 1 << 20);
    assert.equal(statSync(path).blocks, before / 2);
    unmount(folder);
  });
});

test('an overlay shows its layers, uppermost first, also under names with special characters', host, () => {
  withFolder((folder) => {
    mount({ source: 'tmpfs', target: folder, type: 'tmpfs' });
    const [base = '', layer = '', upper = '', work = '', target = ''] = ['a:b', 'c,d', 'u,p', 'w\\k', 'merged'].map(
      (name) => join(folder, name),
    );
    for (const path of [base, layer, upper, work, target]) mkdirSync(path);
    writeFileSync(join(base, 'f'), 'base');
    writeFileSync(join(layer, 'f'), 'layer');
    mountOverlay({ target, lower: [layer, base], upper, work });
    assert.equal(readFileSync(join(target, 'f'), 'utf8'), 'layer');
    writeFileSync(join(target, 'f'), 'new');
    unmount(target);
    assert.equal(readFileSync(join(upper, 'f'), 'utf8'), 'new');
    unmount(folder);
  });
});

test('an overlay of long paths has short options in mountinfo, and the working directory stays', host, () => {
  withFolder((folder) => {
    mount({ source: 'tmpfs', target: folder, type: 'tmpfs' });
    const path = (name: string): string => join(folder, 'x'.repeat(200), name);
    const [target, upper, work] = [path('merged'), path('upper'), path('work')];
    const lower = Array.from({ length: 60 }, (_, index) => path(`layer${index}`));
    for (const each of [target, upper, work, ...lower]) mkdirSync(each, { recursive: true });
    writeFileSync(path('layer0/f'), 'upper layer');
    writeFileSync(path('layer59/f'), 'lower layer');
    const before = [process.cwd(), readdirSync('/proc/self/fd').length];
    mountOverlay({ target, lower, upper, work });
    assert.equal(readFileSync(join(target, 'f'), 'utf8'), 'upper layer');
    assert.match(readFileSync('/proc/self/mountinfo', 'utf8'), /lowerdir=[\d:]+,upperdir=\d+,workdir=\d+/);
    assert.throws(() => mountOverlay({ target: path('absent'), lower }), /ENOENT/);
    assert.throws(() => mountOverlay({ target, lower: [path('absent')] }), /ENOENT/);
    assert.deepEqual([readlinkSync('/proc/self/cwd'), readdirSync('/proc/self/fd').length], before);
    unmount(target);
    unmount(folder);
  });
});

test('a read-only bind mount rejects writes; a failed mount names its target', host, () => {
  withFolder((folder) => {
    mkdirSync(join(folder, 'source'));
    mkdirSync(join(folder, 'target'));
    bindMount(join(folder, 'source'), join(folder, 'target'), { readOnly: true });
    assert.throws(
      () => writeFileSync(join(folder, 'target/f'), ''),
      (error) => hasErrno(error, 'EROFS'),
    );
    unmount(join(folder, 'target'));
    assert.throws(() => unmount(join(folder, 'target')), /^KernelError: umount .*target: EINVAL/);
    assert.throws(() => bindMount(join(folder, 'absent'), join(folder, 'target')), /ENOENT/);
    assert.ok(!existsSync(join(folder, 'target/f')));
  });
});

test('a small and a large tree are removed, and the targets of their links stay', async () => {
  const kept = mkdtempSync(join(tmpdir(), 'netyard-kept-'));
  writeFileSync(join(kept, 'file'), '');
  for (const count of [0, 3, 200]) {
    const folder = mkdtempSync(join(tmpdir(), 'netyard-tree-'));
    mkdirSync(join(folder, 'a/b'), { recursive: true });
    symlinkSync(kept, join(folder, 'a/link'));
    makeFifo(join(folder, 'fifo'));
    for (let index = 0; index < count; index += 1) writeFileSync(join(folder, 'a/b', String(index)), '');
    await removeTree(folder);
    assert.ok(!existsSync(folder), String(count));
    await removeTree(folder);
  }
  assert.ok(existsSync(join(kept, 'file')));
  rmSync(kept, { recursive: true });
});

test('other work of the threads need not wait for the removal of a large directory', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-large-'));
  const count = 20_000;
  for (let index = 0; index < count; index += 1) writeFileSync(join(folder, String(index)), '');
  const removal = removeTree(folder);
  while (readdirSync(folder).length === count) await yieldToEventLoop();
  await stat('/');
  assert.ok(readdirSync(folder).length > count / 2);
  await removal;
  assert.ok(!existsSync(folder));
});

test('a tree with paths longer than PATH_MAX and names that are not UTF-8 is removed', host, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-deep-'));
  makeTree(join(folder, 'tree'), { seed: 1, longestPath: 7000 });
  await removeTree(folder);
  assert.ok(!existsSync(folder));
});

test('a large tree is removed on a file system that lists names without their types', host, async () => {
  await withUntypedFolder(async (folder) => {
    const tree = join(folder, 'tree');
    mkdirSync(join(tree, 'é/ü'), { recursive: true });
    for (let index = 0; index < 200; index += 1) writeFileSync(join(tree, 'é', String(index)), '');
    writeFileSync(Buffer.concat([Buffer.from(join(tree, 'é/ü/')), Buffer.from([0xff])]), '');
    const listed = await listEntries(join(tree, 'é/ü'));
    assert.deepEqual(listed, [{ name: Buffer.from([0xff]), isDirectory: undefined }]);
    await removeTree(tree);
    assert.ok(!existsSync(tree));
  });
});

test('a directory is marked whose subdirectories are unrelated, where the file system has the mark', host, () => {
  withFolder((folder) => {
    const isExt4 = execFileSync('stat', ['--file-system', '--format=%T', folder], { encoding: 'utf8' }).startsWith(
      'ext',
    );
    const top = openSync(folder, 'r');
    for (let times = 0; times < 2; times += 1) assert.equal(separateSubdirectories(top), isExt4);
    closeSync(top);
    if (isExt4) assert.match(execFileSync('lsattr', ['-d', folder], { encoding: 'utf8' }), /^\S*T\S* /);
    const inMemory = join(folder, 'tmpfs');
    mkdirSync(inMemory);
    mount({ source: 'tmpfs', target: inMemory, type: 'tmpfs' });
    const fd = openSync(inMemory, 'r');
    assert.equal(separateSubdirectories(fd), false);
    closeSync(fd);
    unmount(inMemory);
  });
});
