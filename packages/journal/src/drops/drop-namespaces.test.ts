/** Looking up the namespaces in which packets were dropped. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DropNamespaces } from './drop-namespaces.ts';
import type { DropNamespace } from './drop-places.ts';

const namespace = (key: string, path: string): DropNamespace => ({ key, path, object: `container ${key}`, names: [] });

test('inodes are read once, and again for a namespace that is created again', async () => {
  const inodes = new Map([
    ['/ns/a', 1],
    ['/ns/b', 2],
  ]);
  const read: string[] = [];
  let list = [namespace('a', '/ns/a'), namespace('b', '/ns/b'), namespace('gone', '/ns/gone')];
  const inodeOf = (path: string): number | undefined => {
    read.push(path);
    return inodes.get(path);
  };
  const namespaces = new DropNamespaces({ list: () => list, inodeOf });
  await namespaces.lookUp();
  assert.equal(namespaces.find(2)?.object, 'container b');
  await namespaces.lookUp();
  assert.deepEqual(read, ['/ns/a', '/ns/b', '/ns/gone', '/ns/gone']);

  inodes.set('/ns/b', 3);
  list = [namespace('a', '/ns/a'), namespace('b-again', '/ns/b')];
  await namespaces.lookUp();
  assert.equal(read.at(-1), '/ns/b');
  assert.equal(namespaces.find(3)?.object, 'container b-again');
  assert.equal(namespaces.find(2)?.object, 'container b', 'its last drops');
  assert.equal(namespaces.isKnown(2), false);
});

test('looking up many namespaces yields to the event loop', async () => {
  const list = Array.from({ length: 1000 }, (_, index) => namespace(`${index}`, `/ns/${index}`));
  let turns = 0;
  const count = (): void => {
    turns += 1;
    turning = setImmediate(count);
  };
  let turning = setImmediate(count);
  const spin = (milliseconds: number): void => {
    for (const end = performance.now() + milliseconds; performance.now() < end; );
  };
  const inodeOf = (path: string): number => {
    spin(0.05);
    return Number(path.slice(4));
  };
  await new DropNamespaces({ list: () => list, inodeOf }).lookUp();
  clearImmediate(turning);
  assert.ok(turns > 1, `${turns} turns of the event loop`);
});
