/** Links while containers live: the check at start, `rm --link`, variables. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { openFakeYard, refuses } from './fake-yard.ts';
import type { Yard } from './yard.ts';

let yard: Yard;

beforeEach(async () => {
  ({ yard } = await openFakeYard());
});
afterEach(() => yard.close());

test('start refuses a link to a stopped target, and exec does as well', async () => {
  const child = await yard.create('child');
  const parent = await yard.create('parent', { links: ['child:db'] });
  const stopped = refuses('internal', 'Cannot link to a non running container: /child AS /parent/db');
  await assert.rejects(yard.start(parent), stopped);
  await yard.start(child);
  await yard.start(parent);
  await yard.stop(child);
  assert.throws(() => yard.networks.checkLinks(parent), stopped);
  await yard.rename(parent, 'renamed');
  assert.throws(
    () => yard.networks.checkLinks(parent),
    refuses('internal', 'Cannot link to a non running container: /child AS /renamed/db'),
  );
});

test('rm --link', async () => {
  await yard.create('child');
  const parent = await yard.create('parent', { links: ['child:db', 'child:store'] });
  await assert.rejects(
    yard.networks.removeLink('/child'),
    refuses('internal', 'Conflict, cannot remove the default link name of the container'),
  );
  await assert.rejects(
    yard.networks.removeLink('nobody/db'),
    refuses('internal', 'Cannot get parent /nobody for link name /nobody/db'),
  );
  await yard.networks.removeLink('parent/db');
  assert.deepEqual(
    yard.networks.links(parent).map(({ alias }) => alias),
    ['store'],
  );
  assert.deepEqual(yard.networks.config(parent)?.links, ['child:store']);
  await assert.rejects(yard.networks.removeLink('parent/db'), refuses('not-found', 'No such container: parent/db'));
});

test('legacy variables come only when asked for', async () => {
  const child = await yard.run('child', { exposed: [{ protocol: 'tcp', port: 80 }] });
  const parent = await yard.run('parent', { links: ['child:db'] });
  assert.deepEqual(yard.networks.linkEnvironment(parent.containerId), []);
  await yard.networks.close();
  const networks = yard.open({ legacyLinkEnvironment: true });
  await networks.start([child.containerId, parent.containerId]);
  assert.ok(networks.linkEnvironment(parent.containerId).includes('DB_PORT=tcp://172.17.0.2:80'));
});
