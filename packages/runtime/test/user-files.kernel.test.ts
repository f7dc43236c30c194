/** /etc/passwd and /etc/group of images that have something other than a plain file there. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { makeDevice, makeFifo } from '@netyard/kernel';
import { readUserFiles } from '../src/tasks/host-facts.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root: it makes device nodes';
const folder = mkdtempSync(join(tmpdir(), 'netyard-user-files-'));
const root = join(folder, 'root');
const passwd = join(root, 'etc/passwd');
after(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  rmSync(root, { recursive: true, force: true });
  mkdirSync(join(root, 'etc'), { recursive: true });
  writeFileSync(join(root, 'etc/group'), 'g:x:1:\n');
});
const expectNone = (): void => assert.deepEqual(readUserFiles(root), { passwd: '', group: 'g:x:1:\n' });

test('symbolic links are resolved inside the root', { skip }, () => {
  writeFileSync(join(folder, 'secret'), 'outside:x:0:0::/:\n');
  for (const target of ['../../secret', join(folder, 'secret'), '/../secret', '/proc/self/root/etc/passwd', 'passwd']) {
    symlinkSync(target, passwd);
    expectNone();
    rmSync(passwd);
  }
  writeFileSync(join(root, 'real'), 'inside:x:5:5::/:\n');
  symlinkSync('/../../../real', passwd);
  assert.equal(readUserFiles(root).passwd, 'inside:x:5:5::/:\n');
});

test('a link at the directory /etc itself does not lead out either', { skip }, () => {
  rmSync(join(root, 'etc'), { recursive: true });
  symlinkSync('/etc', join(root, 'etc'));
  assert.deepEqual(readUserFiles(root), { passwd: '', group: '' });
  rmSync(join(root, 'etc'));
  symlinkSync('/proc/self/fd/0', join(root, 'etc'));
  assert.deepEqual(readUserFiles(root), { passwd: '', group: '' });
});

test('a file that is not regular is neither opened nor waited for', { skip }, async () => {
  makeFifo(passwd);
  expectNone();
  rmSync(passwd);
  makeDevice(passwd, 'character', 1, 5); // /dev/zero: endless
  expectNone();
  rmSync(passwd);
  makeDevice(passwd, 'character', 240, 250); // of no driver
  expectNone();
  rmSync(passwd);
  mkdirSync(passwd);
  expectNone();
  rmSync(passwd, { recursive: true });
  const server = createServer().listen(passwd);
  await new Promise((resolve) => server.once('listening', resolve));
  expectNone();
  await new Promise((resolve) => server.close(resolve));
});

test('a file of any size is bounded, and bytes of any value are read', { skip }, () => {
  writeFileSync(passwd, '');
  truncateSync(passwd, 2 ** 40);
  expectNone();
  writeFileSync(passwd, Buffer.from([0, 0xff, 0x0a, 0x61, 0x3a]));
  assert.equal(readUserFiles(root).passwd, '\0\ufffd\na:');
});
