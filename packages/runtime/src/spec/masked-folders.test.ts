import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OciMount, OciSpec } from '../oci.ts';
import { coverMaskedFolders } from './masked-folders.ts';

const empty = { path: '/run/empty', masked: ['/proc/acpi', '/sys/firmware'] };
const proc = { destination: '/proc', type: 'proc', source: 'proc', options: [] };
const sys = { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [] };
const cgroup = { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: [] };

const specOf = (maskedPaths: string[], more: OciMount[] = []): OciSpec => ({
  ociVersion: '1.0.2',
  process: {
    ...{ terminal: false, user: { uid: 0, gid: 0 }, args: [], env: [], cwd: '/', noNewPrivileges: false },
    capabilities: { bounding: [], effective: [], permitted: [] },
  },
  root: { path: '/r', readonly: false },
  mounts: [proc, sys, cgroup, ...more],
  linux: { namespaces: [], cgroupsPath: '/c', resources: {}, maskedPaths },
});

test('masked directories are covered read-only, after all other mounts; files are masked by the runtime', () => {
  const volume = { destination: '/data', type: 'bind', source: '/v', options: ['rbind'] };
  const { mounts, linux } = coverMaskedFolders(
    specOf(['/proc/acpi', '/proc/keys', '/sys/firmware'], [volume]),
    empty,
    undefined,
  );
  assert.deepEqual(linux.maskedPaths, ['/proc/keys']);
  assert.deepEqual(mounts.slice(0, 4), [proc, sys, cgroup, volume]);
  const options = ['bind', 'ro', 'nosuid', 'nodev', 'noexec'];
  const cover = { type: 'bind', source: '/run/empty', options };
  assert.deepEqual(mounts.slice(4), [
    { destination: '/proc/acpi', ...cover },
    { destination: '/sys/firmware', ...cover },
  ]);
});

test('only what is masked is covered: nothing of privileged containers, the given paths of others', () => {
  assert.equal(coverMaskedFolders(specOf([]), empty, undefined).mounts.length, 3);
  assert.deepEqual(coverMaskedFolders(specOf(['/x', '/sys/firmware']), empty, undefined).linux.maskedPaths, ['/x']);
});

test('for a container that may mount, the runtime masks: it could write into the directory of all', () => {
  const spec = specOf(['/proc/acpi']);
  spec.process.capabilities.bounding.push('CAP_SYS_ADMIN');
  assert.equal(coverMaskedFolders(spec, empty, undefined), spec);
});

test('without the default seccomp profile, the runtime masks: `exec --privileged` could mount', () => {
  const spec = specOf(['/proc/acpi']);
  const lists = { architectures: [], archMap: [], flags: [], syscalls: [] };
  const profile = { defaultAction: 'SCMP_ACT_ALLOW', listenerPath: '', listenerMetadata: '', ...lists };
  for (const seccomp of ['unconfined', profile] as const) assert.equal(coverMaskedFolders(spec, empty, seccomp), spec);
});

test('with mounts of the container’s own in /proc or /sys, the runtime masks', () => {
  const bind = (destination: string): OciMount => ({ destination, type: 'bind', source: '/s', options: ['rbind'] });
  for (const destination of ['/sys', '/sys/firmware', '/proc', '/proc/uptime', '/sys/fs/cgroup/x']) {
    const spec = specOf(['/proc/acpi'], [bind(destination)]);
    assert.equal(coverMaskedFolders(spec, empty, undefined), spec, destination);
  }
  const isCovered = (mount: OciMount): boolean =>
    coverMaskedFolders(specOf(['/proc/acpi'], [mount]), empty, undefined).linux.maskedPaths?.length === 0;
  assert.ok(isCovered(bind('/system')));
  assert.ok(isCovered({ ...bind('/sys'), source: '/sys' }), 'as in the host’s network');
  assert.ok(!isCovered({ ...bind('/sys'), source: '/sys', options: ['rbind', 'rshared'] }));
});
