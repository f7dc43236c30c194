/** Field statuses: rejected, warned about, or newer than the client's API version. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { containerCreate, execCreate, volumeCreate } from '@netyard/api-types';
import { isNetyardError } from '@netyard/core';
import { acceptFields } from '../src/schemas/accept-fields.ts';
import { containerCreateSchema, execCreateSchema, volumeCreateSchema } from '../src/schemas/bodies.ts';

const at = (minor: number) => ({ major: 1, minor });
const accept = (body: object, minor = 51) =>
  acceptFields(containerCreate, containerCreateSchema.parse(body), at(minor));
const acceptHost = (host: object, minor = 51) => accept({ Image: 'a', HostConfig: host }, minor);

const rejectedWith = (code: string, message: RegExp) => (error: unknown) =>
  isNetyardError(error) && error.code === code && message.test(error.message);

test('a rejected field is rejected only when it is set', () => {
  assert.throws(() => acceptHost({ StorageOpt: { size: '1G' } }), rejectedWith('not-implemented', /^--storage-opt is/));
  acceptHost({ StorageOpt: {}, DeviceRequests: [], IOMaximumIOps: 0, Capabilities: null });
  const volume = volumeCreateSchema.parse({ ClusterVolumeSpec: { Group: 'x' } });
  assert.throws(() => acceptFields(volumeCreate, volume, at(51)), rejectedWith('unavailable', /not a swarm manager/));
});

test('a field without effect returns its warning', () => {
  assert.deepEqual(acceptHost({ CpuPercent: 5, CpuCount: 0, KernelMemory: 1 }).warnings, [
    'Kernel memory limits are no longer supported by Linux. Limitation discarded.',
    'linux does not support CPU percent. Percent discarded.',
  ]);
  assert.deepEqual(acceptHost({}).warnings, []);
});

test('names of fields match in any letter case, and a text that is null is empty, as in Go', () => {
  const read = (body: object) => containerCreateSchema.parse(body);
  const lower = read({ image: 'a', cmd: ['b'], hostconfig: { memory: 6_000_000, restartpolicy: { name: 'always' } } });
  assert.deepEqual([lower.Image, lower.Cmd, lower.hasNoConfig], ['a', ['b'], false]);
  assert.deepEqual([lower.HostConfig.Memory, lower.HostConfig.RestartPolicy?.Name], [6_000_000, 'always']);
  assert.deepEqual([read({ Image: 'a', image: 'b' }).Image, read({ image: 'b', Image: 'a' }).Image], ['b', 'a']);
  assert.equal(read({ hostconfig: {}, networkingConfig: {} }).hasNoConfig, true);
  assert.deepEqual(read({ Labels: { image: 'x', Image: null } }).Labels, { image: 'x', Image: '' });
  assert.deepEqual(read({ Env: [null, 'A=b'] }).Env, ['', 'A=b']);
});

test('a field newer than the client’s API version counts as missing', () => {
  const body = {
    Image: 'a',
    Healthcheck: { Test: ['NONE'], StartInterval: 5 },
    HostConfig: { Annotations: { a: 'b' }, ConsoleSize: [1, 2] },
  };
  const read = (minor: number) => {
    const { Healthcheck, HostConfig } = accept(body, minor).body;
    return [Healthcheck?.StartInterval, HostConfig.Annotations, HostConfig.ConsoleSize];
  };
  assert.deepEqual(read(44), [5, { a: 'b' }, [1, 2]]);
  assert.deepEqual(read(43), [0, { a: 'b' }, [1, 2]]);
  assert.deepEqual(read(41), [0, {}, undefined]);
  const exec = execCreateSchema.parse({ Cmd: 'ls', ConsoleSize: [1, 2] });
  assert.deepEqual(acceptFields(execCreate, exec, at(42)).body.ConsoleSize, [1, 2]);
  assert.equal(acceptFields(execCreate, exec, at(41)).body.ConsoleSize, undefined);
});

test('missing and null fields have zero values, unknown ones are ignored; nested lists too', () => {
  const { HostConfig } = containerCreateSchema.parse({
    Image: null,
    Unknown: 1,
    HostConfig: { Binds: null, Mounts: [{ TmpfsOptions: { Options: [null] } }], LogConfig: {} },
  });
  assert.deepEqual(HostConfig.Binds, []);
  assert.deepEqual(HostConfig.Mounts[0]?.TmpfsOptions?.Options, [[]]);
  assert.deepEqual(HostConfig.LogConfig, { Type: '', Config: {} });
  assert.equal(HostConfig.MemorySwappiness, undefined);
});
