/** No mutated request of a run gives a container access beyond the lab host. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json } from './bodies.ts';
import { Random } from './random.ts';
import { type FuzzRoute, makeRequest } from './requests.ts';
import { bytesOf, restrictBytes } from './restrict.ts';

const routes: FuzzRoute[] = [
  ...['/containers/create', '/containers/:id/exec', '/volumes/create', '/networks/create'],
  '/auth',
].map((path) => ({ method: 'POST', path }));

/** The body as the daemon parses it; undefined when it rejects it. */
function read(bytes: string): Json | undefined {
  try {
    return JSON.parse(new TextDecoder().decode(Buffer.from(bytes, 'latin1')));
  } catch {
    return undefined;
  }
}

/** Paths of values that give access to the machine. Independent of `restrictBody`. */
function escapes(value: Json | undefined, path = ''): string[] {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value)) return value.flatMap((item) => escapes(item, path));
  if (typeof value === 'object') return Object.entries(value).flatMap(([key, item]) => escapes(item, `${path}/${key}`));
  if (/\/(Privileged|Devices|PidMode|UTSMode|Source|Runtime|CgroupParent|device)(\/|$)/.test(path)) return [path];
  if (/\/Binds$/.test(path) && /^[\s/.~]/.test(String(value))) return [`${path}: ${value}`];
  if (/\/serveraddress$/.test(path) && value !== '127.0.0.1:1') return [`${path}: ${value}`];
  return /\/IpcMode$/.test(path) && value === 'host' ? [path] : [];
}

test('30,000 mutated and corrupted requests give no access to the machine', () => {
  const random = new Random(5);
  let whole = 0;
  for (let count = 0; count < 30_000; count += 1) {
    const { body } = makeRequest(routes, random);
    const value = read(body);
    if (value !== undefined) whole += 1;
    assert.deepEqual(escapes(value), [], body);
  }
  assert.ok(whole > 20_000, String(whole));
});

test('host paths and forbidden fields are removed from the bytes of a body', () => {
  const bind = read(restrictBytes('{"HostConfig":{"Binds":["/v0:/data:ro","v1:/data"]}}'));
  assert.deepEqual(bind, { HostConfig: { Binds: ['v1:/data'] } });
  assert.deepEqual(read(restrictBytes('{"a":1,"Devices":[{}],"IpcMode":"host"}')), { a: 1, IpcMode: 'private' });
  assert.deepEqual(read(restrictBytes('{"serveraddress":"27.0.0.1:1"}')), { serveraddress: '127.0.0.1:1' });
});

test('text is sent as UTF-8: no character becomes a quote', () => {
  assert.deepEqual(read(bytesOf(JSON.stringify({ a: '漢","Privileged":true' }))), { a: '漢","Privileged":true' });
  assert.equal(restrictBytes('[[['), '[[[');
});
