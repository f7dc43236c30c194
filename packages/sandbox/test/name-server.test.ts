/** When a name server is opened, and what happens if it cannot be. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@netyard/core';
import { FakeKernel } from '@netyard/testkit';
import { onFront, openFront } from './fake-testbed.ts';
import { Testbed } from './testbed.ts';

test('a container starts without its name server if this cannot be opened; the failure is logged', async () => {
  const errors: unknown[] = [];
  const requests: string[] = [];
  const testbed = new Testbed({
    kernel: new FakeKernel(),
    settings: { legacyTables: '/dev/null' },
    logger: { ...silentLogger, error: (message, fields) => errors.push([message, fields]) },
    adapters: {
      openListener(path, { protocol, address, port }) {
        requests.push(`${path?.includes('ny-')} ${protocol} ${address}:${port}`);
        throw new Error('address in use');
      },
    },
  });
  await testbed.networks.start([]);
  await openFront(testbed);
  const { containerId } = await testbed.run('web', onFront());
  assert.ok(testbed.networks.state(containerId));
  assert.deepEqual([...new Set(requests)], ['true udp 127.0.0.11:53']);
  assert.deepEqual(errors, [
    ["a container's name server could not be opened", { container: 'web', error: 'address in use' }],
  ]);
  const before = requests.length;
  await testbed.run('plain');
  assert.equal(requests.length, before, 'none on the default bridge');
  await testbed.close();
});
