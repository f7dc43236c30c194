/** When a name server is opened, and what happens if it cannot be. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@netyard/core';
import { errnoOf, kernelError } from '@netyard/kernel';
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
    ["a container's name server could not be opened; it is tried again", { container: 'web', error: 'address in use' }],
  ]);
  const before = requests.length;
  await testbed.run('plain');
  assert.equal(requests.length, before, 'none on the default bridge');
  await testbed.close();
});

test('name servers that could not be opened are tried again, a limited number at a time', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const kernel = new FakeKernel();
  const logged: unknown[] = [];
  let attempts: string[] = [];
  const testbed = new Testbed({
    kernel,
    settings: { legacyTables: '/dev/null' },
    logger: { ...silentLogger, error: (message, fields) => logged.push([message, fields]) },
    adapters: {
      openListener(path = '') {
        attempts.push(path);
        throw kernelError(errnoOf('EADDRINUSE'), 'bind', 'udp 127.0.0.11 port 53');
      },
    },
  });
  await testbed.networks.start([]);
  await openFront(testbed);
  for (let at = 0; at < 20; at += 1) await testbed.run(`web${at}`, onFront());
  attempts = [];
  t.mock.timers.tick(5000);
  const first = attempts.length;
  t.mock.timers.tick(5000);
  assert.deepEqual([first, attempts.length, new Set(attempts).size], [16, 32, 20]);
  assert.equal(logged.length, 20, 'a failure is logged once');
  assert.match(JSON.stringify(logged[0]), /"hint":"find the process that listens there: nsenter --net=\S+ ss -lntup/);
  const before = attempts.length;
  for (const { id } of [...testbed.containers.values()]) await testbed.remove(id);
  t.mock.timers.tick(60_000);
  assert.equal(attempts.length, before, 'not those of stopped containers');
  await testbed.close();
});
