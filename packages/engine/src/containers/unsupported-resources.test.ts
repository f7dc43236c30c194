/** Limits without a file in the cgroup hierarchy are discarded with a warning, the others are kept. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { unlimited } from '../default-config.ts';
import { checkRealtime, discardUnsupported } from './unsupported-resources.ts';

test('a limit is discarded when its controller is mounted but lacks the file', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'netyard-cgroup-'));
  t.after(() => rmSync(root, { recursive: true }));
  const asked = {
    ...unlimited,
    memory: 64 << 20,
    memorySwap: 0,
    memoryReservation: 32 << 20,
    cpuShares: 5,
    blkioWeight: 500,
  };
  assert.deepEqual(discardUnsupported(asked, '1', root), { resources: asked, warnings: [] });
  for (const controller of ['memory', 'cpu', 'blkio']) mkdirSync(join(root, controller));
  writeFileSync(join(root, 'memory/memory.soft_limit_in_bytes'), '');
  const { resources, warnings } = discardUnsupported(asked, '1', root);
  assert.deepEqual(resources, { ...asked, memorySwap: -1, cpuShares: 0, blkioWeight: 0 });
  assert.deepEqual(
    warnings.map((warning) => warning.replace(/^Your kernel does not support /, '').split(' or ')[0]),
    ['swap limit capabilities', 'CPU shares', 'Block I/O weight'],
  );
  writeFileSync(join(root, 'blkio/blkio.weight'), '');
  assert.equal(discardUnsupported(asked, '1', root).resources.blkioWeight, 500);
  assert.deepEqual(discardUnsupported(unlimited, '1', root), { resources: unlimited, warnings: [] });
});

test('limits of single devices, swappiness and real-time budgets need their files too', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'netyard-cgroup-'));
  t.after(() => rmSync(root, { recursive: true }));
  for (const controller of ['memory', 'cpu', 'blkio']) mkdirSync(join(root, controller));
  writeFileSync(join(root, 'blkio/blkio.throttle.read_bps_device'), '');
  const devices = [{ path: '/dev/vda', value: 100 }];
  const asked = { ...unlimited, swappiness: 5, weightDevices: devices, readBytesPerSecond: devices };
  const { resources, warnings } = discardUnsupported(asked, '1', root);
  assert.deepEqual(resources, { ...unlimited, readBytesPerSecond: devices });
  assert.deepEqual(warnings, [
    'Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.',
    'Your kernel does not support Block I/O weight_device or the cgroup is not mounted. Weight-device discarded.',
  ]);
  assert.deepEqual(discardUnsupported(asked, '2', root).resources, {
    ...unlimited,
    weightDevices: devices,
    readBytesPerSecond: devices,
  });
  const realtime = { ...unlimited, cpuRealtimePeriod: 1000, cpuRealtimeRuntime: 2000 };
  assert.throws(() => checkRealtime(realtime, '1', root), /kernel does not support CPU real-time scheduler/);
  writeFileSync(join(root, 'cpu/cpu.rt_runtime_us'), '');
  assert.throws(() => checkRealtime(realtime, '1', root), /runtime cannot be higher than cpu real-time period/);
  assert.throws(() => checkRealtime(realtime, '2', root), /kernel does not support CPU real-time scheduler/);
  checkRealtime({ ...realtime, cpuRealtimeRuntime: 500 }, '1', root);
  checkRealtime(unlimited, '2', root);
});
