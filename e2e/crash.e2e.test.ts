/** kill -9 of the daemon, and of containerd, under traffic: containers do not notice, and nothing is lost after. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { cannotRun, enginesUnderTest } from './support/engines.ts';
import { collect, openHosts, type TestHost, until } from './support/host.ts';
import { takeInventory } from './support/leftovers.ts';

/** Asks for a page every 20 ms until told to stop, each time anew; prints how many answers were right and wrong. */
const askForEver = (url: string): string => `
  let right = 0, wrong = 0, stop = false;
  process.on('SIGTERM', () => { stop = true; });
  const ask = async () => {
    while (!stop) {
      try {
        const answer = await fetch('${url}', { headers: { connection: 'close' }, signal: AbortSignal.timeout(60_000) });
        if (answer.status === 200 && (await answer.text()).includes('nginx-app01')) right += 1; else wrong += 1;
      } catch (error) { wrong += 1; console.error(String(error.cause ?? error)); }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    console.log(right + ' right, ' + wrong + ' wrong');
  };
  ask();`;

const countForEver = 'i=0; while :; do echo line $i; i=$((i+1)); usleep 20000; done';

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

    /** Traffic from the host and from a neighbour while `work` is done; all of it must arrive. */
    const underTraffic = async (work: () => Promise<void>): Promise<void> => {
      const address = await host.docker('inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'web');
      const ping = host.start(['ping', '-i', '0.02', address]);
      const http = neighbour.start([process.execPath, '-e', askForEver('http://172.16.2.101:8801/')]);
      const [pinged, fetched] = [collect(ping), collect(http)];
      await pause(500);
      await work();
      await pause(500);
      ping.kill('SIGINT');
      http.kill('SIGTERM');
      assert.match((await pinged).stdout, /, 0% packet loss/);
      const { stdout, stderr } = await fetched;
      assert.match(stdout, /^[1-9]\d* right, 0 wrong$/m, stderr);
    };

    const lines = async (): Promise<string[]> => (await host.docker('logs', 'counter')).split('\n');
    const assertNoGap = (found: readonly string[]): void =>
      assert.deepEqual(
        found,
        found.map((_, index) => `line ${index}`),
      );

    test('containers to look after', async () => {
      await host.docker('run', '-d', '--name', 'web', '-p', '8801:80', 'nginx-app01', 'nginx');
      await host.docker('run', '-d', '--name', 'linked', '--link', 'web:alias', 'nginx-app01', 'nginx');
      await host.docker('run', '-d', '--name', 'counter', 'netyard-test', 'sh', '-c', countForEver);
      await host.docker('run', '-d', '--name', 'short', 'netyard-test', 'sh', '-c', 'sleep 3; echo last word; exit 3');
    });

    test('the daemon dies and returns', async () => {
      await underTraffic(async () => {
        const before = await pidOf('daemon');
        const lastSeen = (await lines()).length;
        await host.sh(`kill -9 ${before}`);
        await until(async () => (await host.tryDocker('version')).status !== 0, 'the daemon is gone');
        await pause(3000); // `short` ends and `counter` goes on while nobody looks
        await host.restartDaemon();
        await until(async () => (await lines()).length > lastSeen + 50, 'the log goes on');
      });
      assertNoGap(await lines());
      assert.equal(await host.docker('ps', '-a', '--format', '{{.Names}}', '--filter', 'name=web'), 'web');
      const ended = ['inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'short'];
      await until(async () => (await host.docker(...ended)) === 'exited 3', 'it has ended with its code');
      assert.equal(await host.docker('logs', 'short'), 'last word');
    });

    test('after it all still works: exec, links, ports, restart', async () => {
      assert.match(await host.docker('exec', 'linked', 'wget', '-qO-', 'http://alias/'), /nginx-app01/);
      assert.match(await host.docker('port', 'web'), /80\/tcp -> 0\.0\.0\.0:8801/);
      const taken = await host.tryDocker('run', '--rm', '-p', '8801:80', 'netyard-test', 'true');
      assert.match(taken.stderr, /port is already allocated|address already in use/);
      await host.docker('restart', '-t', '0', 'web');
      assert.match(await host.docker('exec', 'linked', 'wget', '-qO-', 'http://alias/'), /nginx-app01/);
      assert.match(
        await neighbour.sh('curl -s --retry 20 --retry-connrefused http://172.16.2.101:8801/'),
        /nginx-app01/,
      );
    });

    test('containerd dies', async () => {
      await underTraffic(async () => {
        const before = await pidOf('containerd');
        await host.sh(`kill -9 ${before}`);
        await until(async () => {
          const now = await host.run(['pgrep', '-o', '-x', 'containerd']);
          return now.status === 0 && now.stdout.trim() !== before;
        }, 'containerd is back');
        await until(
          async () => (await host.tryDocker('run', '--rm', 'netyard-test', 'true')).status === 0,
          'containers start again',
        );
      });
      assertNoGap(await lines());
      assert.equal(await host.docker('exec', 'web', 'echo', 'hello'), 'hello');
    });

    test('both die in one moment', async () => {
      await underTraffic(async () => {
        await host.sh(`kill -9 ${await pidOf('daemon')} ${await pidOf('containerd')}`);
        // The daemon's own tables are deleted with its socket, so no other process may hold it open.
        await until(async () => !(await host.sh('nft list tables')).includes('netyard_guard'), 'the guard is gone');
        await host.restartDaemon();
      });
      assertNoGap(await lines());
    });

    test('stop and rm leave nothing', async () => {
      await host.docker('stop', '-t', '1', 'web', 'counter');
      await host.removeContainers();
      const inventory = await takeInventory(host);
      assert.doesNotMatch(inventory['links'] ?? '', /veth|ny[0-9a-f]{6}/);
      assert.equal(inventory['namespaces'], '');
      assert.doesNotMatch(inventory['nftables'] ?? '', /8801|172\.17\.0\.[2-9]/);
      assert.doesNotMatch(inventory['processes'] ?? '', /shim|nginx/);
      assert.doesNotMatch(inventory['cgroups'] ?? '', /[0-9a-f]{64}/);
      assert.doesNotMatch(inventory['mounts'] ?? '', /merged|rootfs/);
    });
  });
