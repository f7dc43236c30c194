/** Tests links of existing containers: the check at start, `rm --link`, environment variables. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { openFakeTestbed, refuses } from './fake-testbed.ts';
import type { Testbed } from './testbed.ts';

let testbed: Testbed;

beforeEach(async () => {
  ({ testbed } = await openFakeTestbed());
});
afterEach(() => testbed.close());

test('start and exec reject a link to a stopped target', async () => {
  const child = await testbed.create('child');
  const parent = await testbed.create('parent', { links: ['child:db'] });
  const stopped = refuses('failed', 'Cannot link to a non running container: /child AS /parent/db');
  await assert.rejects(testbed.start(parent), stopped);
  await testbed.start(child);
  await testbed.start(parent);
  await testbed.stop(child);
  assert.throws(() => testbed.networks.checkLinks(parent), stopped);
  await testbed.rename(parent, 'renamed');
  assert.throws(
    () => testbed.networks.checkLinks(parent),
    refuses('failed', 'Cannot link to a non running container: /child AS /renamed/db'),
  );
});

test('rm --link removes the link and keeps both containers', async () => {
  await testbed.create('child');
  const parent = await testbed.create('parent', { links: ['child:db', 'child:store'] });
  await assert.rejects(
    testbed.networks.removeLink('/child'),
    refuses('failed', 'Conflict, cannot remove the default link name of the container'),
  );
  await assert.rejects(
    testbed.networks.removeLink('missing/db'),
    refuses('failed', 'Cannot get parent /missing for link name /missing/db'),
  );
  await testbed.networks.removeLink('parent/db');
  assert.deepEqual(
    testbed.networks.links(parent).map(({ alias }) => alias),
    ['store'],
  );
  assert.deepEqual(testbed.networks.config(parent)?.links, ['child:store']);
  await assert.rejects(testbed.networks.removeLink('parent/db'), refuses('not-found', 'No such container: parent/db'));
});

test('legacy link variables are set only on request', async () => {
  const child = await testbed.run('child', { exposed: [{ protocol: 'tcp', port: 80 }] });
  const parent = await testbed.run('parent', { links: ['child:db'] });
  assert.deepEqual(testbed.networks.linkEnvironment(parent.containerId), []);
  await testbed.networks.close();
  const networks = testbed.open({ legacyLinkEnvironment: true });
  await networks.start([child.containerId, parent.containerId]);
  assert.ok(networks.linkEnvironment(parent.containerId).includes('DB_PORT=tcp://172.17.0.2:80'));
});
