/** A tree of all kinds of entries is written and read, compared with GNU tar, and comes back unchanged. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { getXattr, listXattrs, setXattr } from '@netyard/kernel';
import { inFreshHost, wholeSeconds } from '@netyard/testkit';
import { assertSameTop, bytesOfStream, plain, useRootfsHost } from './rootfs-host.ts';

const fresh = inFreshHost(import.meta.url);
const host = useRootfsHost(fresh);

/** The names are bytes: Latin-1 text as a shell in another locale would write it. */
const latin1 = Buffer.from('caf\xe9', 'latin1');

function makeTree(name: string): string {
  const root = join(host.folder, name);
  mkdirSync(join(root, 'top/deep'), { recursive: true });
  const top = join(root, 'top');
  writeFileSync(Buffer.concat([Buffer.from(`${top}/`), latin1]), 'bytes');
  symlinkSync(latin1, join(top, 'link-to-bytes'));
  writeFileSync(join(top, '文件'), 'unicode');
  writeFileSync(join(top, 'n'.repeat(255)), 'long');
  let deep = top;
  for (let level = 0; level < 8; level += 1) {
    deep = join(deep, `${level}`.repeat(60));
    mkdirSync(deep);
  }
  writeFileSync(join(deep, 'file'), 'far down');
  symlinkSync('t'.repeat(300), join(top, 'long-link'));
  writeFileSync(join(top, 'empty'), '');
  const holes = openSync(join(top, 'holes'), 'w');
  writeSync(holes, 'middle', 5_000_000);
  ftruncateSync(holes, 9_000_000);
  closeSync(holes);
  const script = `
    ln empty hard; mkfifo -m 620 pipe; mknod null c 1 3; mknod disk b 8 300; chmod 4755 empty; chmod 1777 deep
    chown 4000000000:3000000000 文件; chown -h 7:8 long-link;
    touch -d '1960-01-02 03:04:05.123456789 UTC' deep; touch -h -d '2001-02-03 04:05:06.7 UTC' long-link
    touch -d '2030-01-01 00:00:00.000000001 UTC' 文件; chmod 000 holes`;
  execFileSync('sh', ['-c', script], { cwd: top });
  return root;
}

test('a tree survives cp and export, and GNU tar reads it', fresh, async () => {
  const tree = makeTree('from');
  const copied = host.emptyFolder('copied');
  await host.rootfs.writeArchive(copied, '/', (await host.rootfs.readArchive(tree, '/top')).stream, plain);
  assertSameTop(copied, tree);
  assert.ok(statSync(join(copied, 'top/holes')).blocks * 512 < 9_000_000 + 4096);
  const exported = host.emptyFolder('exported');
  await host.rootfs.writeArchive(exported, '/', await host.rootfs.exportTree(tree), plain);
  assertSameTop(exported, tree);
  const gnu = host.emptyFolder('gnu');
  const archive = await bytesOfStream(await host.rootfs.exportTree(tree));
  execFileSync('tar', ['-xpf', '-', '--numeric-owner'], { cwd: gnu, input: archive, stdio: ['pipe', 'pipe', 'pipe'] });
  assertSameTop(gnu, tree);
});

for (const options of [['--format=pax'], ['--format=pax', '-S'], ['--format=gnu'], ['--format=gnu', '-S']]) {
  test(`a tree from GNU tar with ${options.join(' ')} is unpacked`, fresh, async () => {
    const tree = makeTree(`gnu-${options.join('')}`);
    const archive = execFileSync('tar', [...options, '-cf', '-', 'top'], { cwd: tree, maxBuffer: 1e9 });
    const copied = host.emptyFolder(`in-${options.join('')}`);
    await host.rootfs.writeArchive(copied, '/', Readable.from([archive]), plain);
    assertSameTop(copied, tree, options[0] === '--format=gnu' ? { timeOf: wholeSeconds } : {});
    if (options.includes('-S')) assert.ok(statSync(join(copied, 'top/holes')).blocks * 512 < 100_000);
  });
}

test('attributes are bytes', fresh, async () => {
  const tree = host.emptyFolder('attributes');
  mkdirSync(join(tree, 'top'));
  writeFileSync(join(tree, 'top/file'), 'x');
  const value = Buffer.from([0, 0xff, 0x0a, 0x3d, 0]);
  const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
  setXattr(join(tree, 'top/file'), 'security.netyard', value);
  setXattr(join(tree, 'top/file'), 'security.capability', capability);
  const copied = host.emptyFolder('attributes-copied');
  await host.rootfs.writeArchive(copied, '/', (await host.rootfs.readArchive(tree, '/top')).stream, plain);
  const file = join(copied, 'top/file');
  assert.deepEqual(Buffer.from(getXattr(file, 'security.netyard') ?? []), value);
  assert.deepEqual(Buffer.from(getXattr(file, 'security.capability') ?? []), capability);
  assert.ok(listXattrs(file).length >= 2);
});

test('files of proc have the content that cat shows, or are rejected', fresh, async () => {
  const read = async (path: string): Promise<string> => {
    const copied = mkdtempSync(join(host.folder, 'proc-'));
    await host.rootfs.writeArchive(copied, '/', (await host.rootfs.readArchive('/', path)).stream, plain);
    return readFileSync(join(copied, path.split('/').at(-1) ?? ''), 'latin1');
  };
  for (const path of ['/proc/version', '/proc/filesystems', `/proc/${process.pid}/cmdline`])
    assert.equal(await read(path), readFileSync(path, 'latin1'));
  // A long one that no other process changes, as they change kallsyms by loading BPF programs.
  const variables = Array.from({ length: 12 }, (_, index) => [`V${index}`, `${index}`.repeat(60_000)]);
  const child = spawn('sleep', ['1000'], { env: { ...process.env, ...Object.fromEntries(variables) } });
  try {
    const environment = await read(`/proc/${child.pid}/environ`);
    assert.ok(environment.length > 800_000);
    assert.equal(environment, readFileSync(`/proc/${child.pid}/environ`, 'latin1'));
  } finally {
    child.kill('SIGKILL');
  }
  await assert.rejects(read('/proc/sys/kernel/hostname'), /depends on the namespaces of its reader/);
});

test('a file that shrinks aborts the archive, one that grows is cut at its first size', fresh, async () => {
  const tree = host.emptyFolder('changing');
  mkdirSync(join(tree, 'top'));
  const path = join(tree, 'top/file');
  writeFileSync(path, Buffer.alloc(4_000_000, 'a'));
  const stream = (await host.rootfs.readArchive(tree, '/top')).stream as Readable;
  const reading = stream[Symbol.asyncIterator]();
  await reading.next();
  truncateSync(path, 10);
  const rest = async (): Promise<void> => {
    for (let next = await reading.next(); !next.done; next = await reading.next());
  };
  await assert.rejects(rest(), /became shorter/);
});

test('a socket is omitted', fresh, async () => {
  const tree = host.emptyFolder('sockets');
  mkdirSync(join(tree, 'top'));
  const server = createServer().listen(join(tree, 'top/socket'));
  await new Promise((resolve) => server.once('listening', resolve));
  const archive = await bytesOfStream((await host.rootfs.readArchive(tree, '/top')).stream);
  await new Promise((resolve) => server.close(resolve));
  assert.equal(execFileSync('tar', ['tf', '-'], { input: archive, encoding: 'utf8' }), 'top/\n');
});
