/** Root file systems of containers: mounts, layers, changes, sizes, paths and volumes of stopped containers. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { getXattr, setXattr } from '@netyard/kernel';
import { openRootFilesystems } from '@netyard/runtime';
import { inFreshHost, makeTree } from '@netyard/testkit';
import { containerId, listing, plain, tar, useRootfsHost } from './rootfs-host.ts';

const fresh = inFreshHost(import.meta.url);
const host = useRootfsHost(fresh);

test('mount points for engines exist and do not count as changes of the container', fresh, async () => {
  await host.withContainer({ 'etc/hosts': 'from the image', 'etc/x': '' }, async (root, layers) => {
    for (const path of ['dev/pts', 'proc', 'sys', '.dockerenv', 'etc/resolv.conf', 'dev/console']) {
      assert.ok(existsSync(join(root, path)), path);
    }
    assert.equal(readFileSync(join(root, 'etc/hosts'), 'utf8'), 'from the image');
    assert.equal(readlinkSync(join(root, 'etc/mtab')), '/proc/mounts');
    assert.deepEqual(await host.rootfs.changes(containerId, layers), []);
  });
});

test('changes and size of a container include names of any bytes and paths that are too long', fresh, async () => {
  await host.withContainer({ x: '' }, async (root, layers) => {
    makeTree(join(root, 'tree'), { seed: 1, longestPath: 7000, plain: true });
    const changes = await host.rootfs.changes(containerId, layers);
    const paths = changes.map(({ path }) => path);
    assert.ok(paths.includes('/tree/caf\udce9'));
    assert.ok(paths.some((path) => path.length > 3500));
    assert.ok((await host.rootfs.size(containerId, layers)).writable > 1_000_000);
  });
});

test('directories keep the mode of the image', fresh, async () => {
  const layers = [host.layer('2', { 'etc/x': '' })];
  chmodSync(join(host.folder, 'overlay/layers', '2'.repeat(64), 'diff/etc'), 0o710);
  await host.rootfs.create(containerId, layers);
  assert.equal(lstatSync(join(await host.rootfs.mount(containerId, layers, false), 'etc')).mode & 0o777, 0o710);
  await host.rootfs.remove(containerId);
});

test('a hundred layers can be mounted, more than a page of mount options holds', fresh, async () => {
  const home = join(host.folder, 'overlay/layers');
  const layers = Array.from({ length: 100 }, (_, index) => index.toString(16).padStart(64, '0'));
  for (const [index, hex] of layers.entries()) {
    mkdirSync(join(home, hex, 'diff'), { recursive: true });
    writeFileSync(join(home, hex, 'diff/top'), String(index));
    writeFileSync(join(home, hex, 'diff', `file${index}`), '');
    writeFileSync(join(home, hex, 'size'), '2');
  }
  const chains = layers.map((hex) => `sha256:${hex}`);
  await host.rootfs.create(containerId, chains);
  const root = await host.rootfs.mount(containerId, chains, false);
  assert.equal(readFileSync(join(root, 'top'), 'utf8'), '99');
  assert.ok(existsSync(join(root, 'file0')));
  assert.equal((await host.rootfs.size(containerId, chains)).total, 200);
  await host.rootfs.remove(containerId);
  assert.deepEqual(await host.rootfs.list(), []);
});

test('changes list added, modified, deleted and replaced files', fresh, async () => {
  const files = { 'a/kept': 'k', 'a/changed': 'c', 'a/gone': 'g', 'tree/one': '1', 'tree/two': '2', plain: 'p' };
  await host.withContainer(files, async (root, layers) => {
    writeFileSync(join(root, 'a/new'), 'n');
    writeFileSync(join(root, 'a/changed'), 'd');
    rmSync(join(root, 'a/gone'));
    rmSync(join(root, 'tree'), { recursive: true });
    mkdirSync(join(root, 'tree'));
    writeFileSync(join(root, 'tree/two'), '3');
    writeFileSync(join(root, 'short-lived'), '');
    rmSync(join(root, 'short-lived'));
    assert.deepEqual(
      (await host.rootfs.changes(containerId, layers)).map(({ path, kind }) => `${kind.charAt(0)} ${path}`),
      ['m /a', 'm /a/changed', 'd /a/gone', 'a /a/new', 'm /tree', 'd /tree/one', 'm /tree/two'],
    );
    assert.equal((await host.rootfs.size(containerId, layers)).writable, 3);
  });
});

test('withMounted mounts a stopped container for the duration of the call', fresh, async () => {
  const layers = [host.layer('3', { x: 'y' })];
  await host.rootfs.create(containerId, layers);
  const merged = join(host.folder, 'overlay/containers', containerId, 'merged');
  const visit = (work: () => Promise<void>) =>
    host.rootfs.withMounted(containerId, layers, async (root) => {
      assert.equal(readFileSync(join(root, 'x'), 'utf8'), 'y');
      await work();
    });
  await visit(() => visit(async () => undefined));
  assert.deepEqual(readdirSync(merged), []);
  await visit(async () => void (await host.rootfs.mount(containerId, layers, false))); // started meanwhile: the mount is kept
  assert.notDeepEqual(readdirSync(merged), []);
  const later = openRootFilesystems({ dataRoot: host.folder }); // a restarted daemon finds the mount
  await later.withMounted(containerId, layers, async () => undefined);
  assert.notDeepEqual(readdirSync(merged), []);
  await later.unmount(containerId);
  assert.deepEqual(readdirSync(merged), []);
  await later.remove(containerId);
});

/** A process with this container's root as its own, which the container's id in its parent's command line confirms. */
async function runIn(root: string): Promise<{ pid: number; end: () => Promise<void> }> {
  const inside = '/busybox umount -l /old; /busybox mount -t tmpfs t /mnt; echo ready; exec /busybox sleep 60';
  const enter = `mount --make-rprivate /; mount --bind ${root} ${root}; cd ${root}; pivot_root . old`;
  const line = `set -e; echo $$; ${enter}; exec /busybox sh -c '${inside}'`;
  const child = spawn('sh', ['-c', `unshare -m sh -c "$0"; : ${containerId}`, line], { stdio: ['ignore', 'pipe', 2] });
  let text = '';
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk);
    if (text.includes('ready')) break;
  }
  const pid = Number.parseInt(text, 10);
  const ended = once(child, 'close');
  return {
    pid,
    async end() {
      process.kill(pid, 'SIGKILL');
      await ended;
    },
  };
}

test('a process of another container is not taken for one, whatever its parent is called', fresh, async () => {
  await host.withContainer({ 'dev/null': '' }, async (root) => {
    copyFileSync('/usr/bin/busybox', join(root, 'busybox'));
    for (const other of [root, '/']) {
      const shell = other === '/' ? 'busybox' : '/busybox';
      const line = `${shell} sleep 60 & echo $!; wait; : ${containerId}`;
      const child = spawn('chroot', [other, shell, 'sh', '-c', line], { stdio: ['ignore', 'pipe', 2] });
      const [text] = await once(child.stdout ?? child, 'data');
      const pid = Number.parseInt(String(text), 10);
      const ended = once(child, 'close');
      const held = host.rootfs.holdRoot(containerId, pid);
      held?.close();
      process.kill(pid, 'SIGKILL');
      await ended;
      assert.equal(held !== undefined, other === '/', other); // '/': as a shim of the host
    }
  });
});

test('a detached root is visited through its container, and mounted again while it is', fresh, async () => {
  const layers = [host.layer('5', { x: 'image', 'mnt/below': 'hidden', 'old/x': '' })];
  copyFileSync('/usr/bin/busybox', join(host.folder, 'overlay/layers', '5'.repeat(64), 'diff/busybox'));
  await host.rootfs.create(containerId, layers);
  const merged = await host.rootfs.mount(containerId, layers, false);
  const isAttached = (): boolean => readFileSync('/proc/self/mounts', 'utf8').includes(` ${merged} `);
  const { pid, end } = await runIn(merged);
  await host.rootfs.detach(containerId, process.pid); // a process of another id is not the container's
  assert.ok(isAttached());
  assert.equal(host.rootfs.holdRoot(containerId, process.pid), undefined);
  await host.rootfs.withMounted(containerId, layers, async (root) => {
    await host.rootfs.detach(containerId, pid); // waits for the visit's end
    assert.equal(readFileSync(join(root, 'x'), 'utf8'), 'image');
  });
  assert.ok(!isAttached());
  writeFileSync(`/proc/${pid}/root/x`, 'changed');
  const view = { mounts: [{ source: host.folder, target: '/more', readOnly: true }], readOnlyRoot: false };
  await host.rootfs.withMounts(containerId, layers, view, async (root) => {
    assert.equal(readFileSync(join(root, 'x'), 'utf8'), 'changed');
    assert.ok(existsSync(join(root, 'more/overlay')));
  });
  await host.rootfs.withMounted(containerId, layers, async (root) => {
    assert.equal(readFileSync(join(root, 'x'), 'utf8'), 'changed');
    assert.equal(readFileSync(join(root, 'mnt/below'), 'utf8'), 'hidden');
    await end();
    for (const run of [2, 3]) {
      await host.rootfs.unmount(containerId);
      await host.rootfs.mount(containerId, layers, false);
      // Not a second file system on the same folders.
      assert.equal(statSync(merged).dev, statSync(root).dev, `run ${run}`);
    }
  });
  assert.equal(readFileSync(join(merged, 'x'), 'utf8'), 'changed');
  await host.rootfs.remove(containerId);
  assert.ok(!isAttached());
});

test('a disposable root file system is mounted without flushes, and again with its files', fresh, async () => {
  const layers = [host.layer('4', { x: 'image' })];
  await host.rootfs.create(containerId, layers);
  const isVolatile = (root: string): boolean => {
    const line =
      readFileSync('/proc/self/mounts', 'utf8')
        .split('\n')
        .find((text) => text.includes(` ${root} `)) ?? '';
    assert.match(line, /^overlay /);
    return /[,=]volatile\b/.test(line); // `fsync=volatile` in newer kernels
  };
  for (const isDisposable of [true, true, false, true]) {
    const root = await host.rootfs.mount(containerId, layers, isDisposable);
    assert.equal(isVolatile(root), isDisposable);
    appendFileSync(join(root, 'x'), ' more');
    await host.rootfs.unmount(containerId);
  }
  await host.rootfs.withMounted(containerId, layers, async (root) => {
    assert.equal(readFileSync(join(root, 'x'), 'utf8'), 'image more more more more');
    assert.equal(isVolatile(root), false); // files copied into it before it starts are the user's
  });
  await host.rootfs.remove(containerId);
});

test('a path is described with mode, size and link target', fresh, async () => {
  await host.withContainer({ 'etc/passwd': 'root', 'bin/tool': 'x' }, async (root) => {
    chmodSync(join(root, 'bin/tool'), 0o4755);
    symlinkSync('/etc/passwd', join(root, 'absolute'));
    symlinkSync('../../../../etc', join(root, 'etc/up'));
    symlinkSync('nowhere', join(root, 'broken'));
    const stat = async (path: string) => {
      const found = await host.rootfs.statInRoot(root, path);
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

test('a directory is created inside the root, owned by root, and never replaces a file', fresh, async () => {
  await host.withContainer({ 'srv/file': '', 'etc/x': '' }, async (root) => {
    symlinkSync('/srv', join(root, 'link'));
    await host.rootfs.makeFolder(root, '/link/a/b');
    await host.rootfs.makeFolder(root, '/link/a/b');
    const made = lstatSync(join(root, 'srv/a/b'));
    assert.deepEqual([made.isDirectory(), made.mode & 0o777, made.uid, made.gid], [true, 0o755, 0, 0]);
    symlinkSync('/nowhere', join(root, 'srv/astray'));
    await host.rootfs.makeFolder(root, '/srv/astray/c');
    assert.ok(lstatSync(join(root, 'nowhere/c')).isDirectory());
    symlinkSync('loop', join(root, 'srv/loop'));
    await assert.rejects(host.rootfs.makeFolder(root, '/srv/loop/c'), /too many symbolic links/);
    await assert.rejects(
      host.rootfs.makeFolder(root, '/srv/file'),
      /^NetyardError: Cannot mkdir: \/srv\/file is not a/,
    );
    await assert.rejects(host.rootfs.makeFolder(root, '/srv/file/below'), /Cannot mkdir: \/srv\/file\/below is not a/);
  });
});

test('a new volume gets the image’s files', fresh, async () => {
  const volume = join(host.folder, 'volume');
  mkdirSync(volume);
  await host.withContainer({ 'var/data/a/b': 'content' }, async (root) => {
    chmodSync(join(root, 'var/data'), 0o2770);
    setXattr(join(root, 'var/data/a/b'), 'security.netyard', Buffer.from('kept'));
    await host.rootfs.copyTree(root, '/var/data', volume);
    await host.rootfs.copyTree(root, '/nothing', volume);
  });
  assert.equal(readFileSync(join(volume, 'a/b'), 'utf8'), 'content');
  assert.equal(lstatSync(volume).mode & 0o7777, 0o2770);
  assert.equal(Buffer.from(getXattr(join(volume, 'a/b'), 'security.netyard') ?? []).toString(), 'kept');
});

test('a stopped container is seen with its mounts in place, and none of them is left', fresh, async () => {
  await host.withContainer({ 'etc/hosts': 'from the image', 'real/x': 'x' }, async (root, layers) => {
    await host.rootfs.unmount(containerId);
    const volume = join(host.folder, 'a-volume');
    mkdirSync(volume);
    writeFileSync(join(volume, 'inside'), 'volume');
    symlinkSync('/real', join(volume, 'link'));
    const hosts = join(host.folder, 'hosts');
    writeFileSync(hosts, 'ours');
    const mounts = [
      { source: hosts, target: '/etc/hosts', readOnly: false },
      { source: volume, target: '/new/place', readOnly: false },
      { source: volume, target: '/locked', readOnly: true },
    ];
    await host.rootfs.withMounts(containerId, layers, { mounts, readOnlyRoot: false }, async (view) => {
      assert.equal(readFileSync(join(view, 'etc/hosts'), 'utf8'), 'ours');
      const listed = await listing((await host.rootfs.readArchive(view, '/new/place')).stream);
      assert.deepEqual(
        listed.map((line) => line.split(' ')[2]),
        ['place/', 'place/inside', 'place/link'],
      );
      await host.rootfs.writeArchive(view, '/new/place/link', await tar([{ name: 'through' }]), plain);
      await assert.rejects(
        host.rootfs.writeArchive(view, '/locked', await tar([{ name: 'x' }]), plain),
        /^NetyardError: mounted volume is marked read-only$/,
      );
    });
    await host.rootfs.withMounts(containerId, layers, { mounts, readOnlyRoot: true }, async (view) => {
      await assert.rejects(
        host.rootfs.writeArchive(view, '/real', await tar([{ name: 'x' }]), plain),
        /container rootfs is marked read-only/,
      );
      await host.rootfs.writeArchive(view, '/new/place', await tar([{ name: 'more' }]), plain);
    });
    assert.deepEqual(readdirSync(volume).sort(), ['inside', 'link', 'more']);
    assert.deepEqual(readdirSync(join(host.folder, 'overlay/temporary')), []);
    assert.ok(!readFileSync('/proc/self/mounts', 'utf8').includes('overlay/temporary'));
    await host.rootfs.mount(containerId, layers, false);
    assert.equal(readFileSync(join(root, 'real/through'), 'utf8'), 'new');
    assert.equal(readFileSync(join(root, 'etc/hosts'), 'utf8'), 'from the image');
  });
});
