/** Many containers start and stop concurrently without errors, duplicate addresses or leftovers. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setBridgeNetfilter } from './support/bridge-netfilter.ts';
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
      // As where no other program loaded br_netfilter: with it, networks have no second bridge.
      await host.sh(setBridgeNetfilter(0));
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

    test('most are on the second bridge of their network', { skip: engine === 'dockerd' && 'it has one' }, async () => {
      const ports = await host.sh('ip -o link show type veth | grep -c " master nyb"');
      assert.equal(Number(ports), total - 128 + 1, 'and the pair that joins the bridges');
      assert.match(await host.netyard('explain', 'bridge'), /ip link add name nyb[0-9a-f]{10}01 .*type bridge/);
    });

    test('containers of both bridges reach each other, and their ports are reachable', async () => {
      const addressOf = (name: string): Promise<string> =>
        host.docker('inspect', '-f', '{{.NetworkSettings.IPAddress}}', name);
      const [first = '', last = ''] = [names[0], names.at(-1)];
      await host.docker('exec', first, 'ping', '-c', '1', '-W', '5', await addressOf(last));
      await host.docker('exec', '-d', last, 'sh', '-c', 'echo hello > /tmp/index.html; busybox httpd -h /tmp -p 80');
      const answer = async (): Promise<boolean> =>
        (await host.sh(`curl -s http://127.0.0.1:${8000 + total - 1}/ || true`)) === 'hello\n';
      await until(answer, 'the published port of the last container answers');
      await host.docker('exec', last, 'ping', '-c', '1', '-W', '5', await addressOf(first));
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
