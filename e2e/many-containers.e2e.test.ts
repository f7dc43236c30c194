/** Many containers start and stop concurrently without errors, duplicate addresses or leftovers. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cannotRun, enginesUnderTest } from './support/engines.ts';
import { openHost, type TestHost, until } from './support/host.ts';
import { type Inventory, takeEmptyInventory, untilInventory } from './support/leftovers.ts';

const total = 200;
const batch = 20;

for (const engine of enginesUnderTest())
  describe(`${total} containers on ${engine}`, { skip: cannotRun(engine) }, () => {
    let host: TestHost;
    let empty: Inventory;
    const names = Array.from({ length: total }, (_, index) => `c-${index}`);

    /** Runs `work` for all names in batches. */
    const inBatches = async (work: (name: string, index: number) => Promise<unknown>): Promise<void> => {
      for (let first = 0; first < total; first += batch)
        await Promise.all(names.slice(first, first + batch).map((name, index) => work(name, first + index)));
    };

    before(async () => {
      host = await openHost(engine, { images: ['netyard-test'] });
      // Creates what an engine creates with its first container before the baseline is taken.
      await host.docker('run', '--rm', '-p', '7999:80', 'netyard-test', 'true');
      empty = await takeEmptyInventory(host);
    });
    after(() => host.close());

    test('containers with published ports start in parallel batches', async () => {
      await inBatches((name, index) =>
        host.docker('run', '-d', '--name', name, '-p', `${8000 + index}:80`, 'netyard-test', 'sleep', '10000'),
      );
      assert.equal((await host.docker('ps', '-q')).split('\n').length, total);
    });

    test('their roots leave the mount table', { skip: engine === 'dockerd' && 'they stay' }, async () => {
      const attached = (): Promise<string> => host.sh("grep -c '/merged ' /proc/mounts || true");
      await until(async () => (await attached()) === '0\n', 'no root is in the mount table');
    });

    test('addresses are unique, and configured in the containers', async () => {
      const shown = await host.docker(
        'inspect',
        '-f',
        '{{.NetworkSettings.IPAddress}} {{.NetworkSettings.MacAddress}}',
        ...names,
      );
      const addresses = shown.split('\n').map((line) => line.split(' '));
      assert.equal(new Set(addresses.map(([address]) => address)).size, total);
      assert.equal(new Set(addresses.map(([, mac]) => mac)).size, total);
      const inside = await host.docker('exec', 'c-137', 'ip', '-4', '-o', 'addr', 'show', 'eth0');
      assert.ok(inside.includes(`inet ${addresses[137]?.[0]}/16`), inside);
    });

    test('containers removed in parallel batches leave nothing behind', async () => {
      await inBatches((name) => host.docker('rm', '-f', name));
      assert.equal(await host.docker('ps', '-aq'), '');
      await untilInventory(host, empty);
    });

    test('netyard system cleanup finds nothing', { skip: engine === 'dockerd' && 'a command of netyard' }, async () => {
      const found = await host.netyard('system', 'cleanup', '--dry-run');
      assert.equal(found, 'Nothing to clean up: everything that Netyard created is in use.');
    });
  });
