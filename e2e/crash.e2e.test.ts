/** kill -9 of the daemon and of containerd under traffic: containers continue, and no packet, log line or state is lost. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { cannotRun, enginesUnderTest } from './support/engines.ts';
import { collect, openHosts, type TestHost, until } from './support/host.ts';
import { takeEmptyInventory, takeInventory } from './support/leftovers.ts';
import { Ping } from './support/ping.ts';

/** Fetches a page every 20 ms on a new connection until SIGTERM; prints the number of correct and wrong answers. */
const fetchForever = (url: string): string => `
  let right = 0, wrong = 0, stop = false;
  process.on('SIGTERM', () => { stop = true; });
  const run = async () => {
    while (!stop) {
      try {
        const answer = await fetch('${url}', { headers: { connection: 'close' }, signal: AbortSignal.timeout(60_000) });
        if (answer.status === 200 && (await answer.text()).includes('nginx-app01')) right += 1; else wrong += 1;
        if (right + wrong === 1) console.log('asking');
      } catch (error) { wrong += 1; console.error(String(error.cause ?? error)); }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    console.log(right + ' right, ' + wrong + ' wrong');
  };
  run();`;

const countForever = 'i=0; while :; do echo line $i; i=$((i+1)); usleep 20000; done';

/** Repeated until the server listens. */
const firstPage = 'curl -s --retry 20 --retry-connrefused http://172.16.2.101:8801/';

for (const engine of enginesUnderTest())
  describe(`kill -9 on ${engine}`, { skip: cannotRun(engine) }, () => {
    let host: TestHost;
    let neighbour: TestHost;
    before(async () => {
      const daemonOptions = engine === 'dockerd' ? ['--live-restore', '--userland-proxy=false'] : [];
      const hosts = await openHosts(engine, ['server1', 'server2'], {
        images: ['nginx-app01', 'netyard-test'],
        daemonOptions,
      });
      const [first, second] = hosts;
      assert.ok(first && second);
      [host, neighbour] = [first, second];
    });
    after(() => host.close());

    const pidOf = async (program: string): Promise<string> => {
      const line =
        program === 'daemon'
          ? "ss -xlpH src /run/netyard/netyard.sock | sed -nE 's/.*pid=([0-9]+).*/\\1/p' | head -n 1"
          : 'pgrep -o -x containerd';
      const pid = (await host.sh(line)).trim();
      assert.match(pid, /^\d+$/, `${program} runs`);
      return pid;
    };

    /** Sends traffic from the host and from a neighbour during `work`; all of it must arrive. */
    const underTraffic = async (work: () => Promise<void>): Promise<void> => {
      const address = await host.docker('inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'web');
      const ping = await Ping.start(host, address);
      const http = neighbour.start([process.execPath, '-e', fetchForever('http://172.16.2.101:8801/')]);
      const fetched = collect(http);
      await once(http.stdout as NodeJS.ReadableStream, 'data');
      await work();
      await pause(500);
      http.kill('SIGTERM');
      const { sent, lost } = await ping.stop();
      assert.ok(sent > 2);
      assert.deepEqual(lost, []);
      const { stdout, stderr } = await fetched;
      assert.match(stdout, /^[1-9]\d* right, 0 wrong$/m, stderr);
    };

    const lines = async (): Promise<string[]> => (await host.docker('logs', 'counter')).split('\n');
    const assertNoGap = (found: readonly string[]): void =>
      assert.deepEqual(
        found,
        found.map((_, index) => `line ${index}`),
      );

    test('containers with a published port, a link and a log start', async () => {
      await host.docker('run', '-d', '--name', 'web', '-p', '8801:80', 'nginx-app01', 'nginx');
      await host.docker('run', '-d', '--name', 'linked', '--link', 'web:alias', 'nginx-app01', 'nginx');
      await host.docker('run', '-d', '--name', 'counter', 'netyard-test', 'sh', '-c', countForever);
      await host.docker('run', '-d', '--name', 'short', 'netyard-test', 'sh', '-c', 'sleep 3; echo last word; exit 3');
      await neighbour.sh(firstPage);
    });

    test('containers, traffic and logs survive a kill of the daemon', async () => {
      await underTraffic(async () => {
        const before = await pidOf('daemon');
        const lastSeen = (await lines()).length;
        await host.sh(`kill -9 ${before}`);
        await until(async () => (await host.tryDocker('version')).status !== 0, 'the daemon is down');
        await pause(3000); // `short` ends and `counter` continues without a daemon
        await host.restartDaemon();
        await until(async () => (await lines()).length > lastSeen + 50, 'the log continues');
      });
      assertNoGap(await lines());
      assert.equal(await host.docker('ps', '-a', '--format', '{{.Names}}', '--filter', 'name=web'), 'web');
      const ended = ['inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'short'];
      await until(async () => (await host.docker(...ended)) === 'exited 3', 'its exit code is recorded');
      assert.equal(await host.docker('logs', 'short'), 'last word');
    });

    test('exec, links, ports and restart work afterwards', async () => {
      assert.match(await host.docker('exec', 'linked', 'wget', '-qO-', 'http://alias/'), /nginx-app01/);
      assert.match(await host.docker('port', 'web'), /80\/tcp -> 0\.0\.0\.0:8801/);
      const second = await host.tryDocker('run', '--rm', '-p', '8801:80', 'netyard-test', 'true');
      assert.match(second.stderr, /port is already allocated|address already in use/);
      await host.docker('restart', '-t', '0', 'web');
      assert.match(await neighbour.sh(firstPage), /nginx-app01/);
      assert.match(await host.docker('exec', 'linked', 'wget', '-qO-', 'http://alias/'), /nginx-app01/);
    });

    test('containers, traffic and logs survive a kill of containerd', async () => {
      await underTraffic(async () => {
        const before = await pidOf('containerd');
        await host.sh(`kill -9 ${before}`);
        await until(async () => {
          const now = await host.run(['pgrep', '-o', '-x', 'containerd']);
          return now.status === 0 && now.stdout.trim() !== before;
        }, 'containerd runs again');
        await until(
          async () => (await host.tryDocker('run', '--rm', 'netyard-test', 'true')).status === 0,
          'new containers start',
        );
      });
      assertNoGap(await lines());
      assert.equal(await host.docker('exec', 'web', 'echo', 'hello'), 'hello');
    });

    test('containers, traffic and logs survive a kill of both', async () => {
      await underTraffic(async () => {
        await host.sh(`kill -9 ${await pidOf('daemon')} ${await pidOf('containerd')}`);
        // The daemon's own tables are deleted with its socket, so no other process may hold it open.
        await until(
          async () => !(await host.sh('nft list tables')).includes('netyard_guard'),
          'the guard table is deleted',
        );
        await host.restartDaemon();
      });
      assertNoGap(await lines());
    });

    test('stop and rm leave nothing behind', async () => {
      await host.docker('stop', '-t', '1', 'web', 'counter');
      await host.removeContainers();
      let inventory = await takeEmptyInventory(host);
      await until(async () => {
        inventory = await takeInventory(host);
        return !/veth|ny[0-9a-f]{6}/.test(inventory['links'] ?? '') && inventory['namespaces'] === '';
      }, 'no link and no namespace is left');
      assert.doesNotMatch(inventory['nftables'] ?? '', /8801|172\.17\.0\.[2-9]/);
      assert.doesNotMatch(inventory['processes'] ?? '', /shim|nginx/);
      assert.doesNotMatch(inventory['cgroups'] ?? '', /[0-9a-f]{64}/);
      assert.doesNotMatch(inventory['mounts'] ?? '', /merged|rootfs/);
    });
  });
