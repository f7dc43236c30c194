/** Mounts of file systems with options of mount(8), on threads that stay. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmdirSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { FileSystemMounter, mountPoints, parseMountOptions, unmountFileSystem } from '@netyard/kernel';
import { countThreads, inFreshHost } from '@netyard/testkit';

const fresh = inFreshHost(import.meta.url);

test(
  'file systems are mounted one after the other by one thread: each that ends would leak memory',
  fresh,
  async () => {
    const target = mkdtempSync(join(tmpdir(), 'netyard-mount-'));
    const mounter = new FileSystemMounter();
    const call = { source: 'tmpfs', type: 'tmpfs', ...parseMountOptions('nodev,size=4m') };
    try {
      const started = await countThreads(async () => {
        for (let times = 0; times < 10; times += 1) {
          await mounter.mount(target, call);
          const { blocks, bsize } = statfsSync(target);
          assert.equal(blocks * bsize, 4 * 1024 * 1024);
          await unmountFileSystem(target);
          await assert.rejects(mounter.mount(target, { ...call, type: 'none-such' }), { errnoName: 'ENODEV' });
          assert.ok(!mountPoints().includes(target));
        }
      });
      assert.equal(started, 1);
    } finally {
      rmdirSync(target);
    }
  },
);
