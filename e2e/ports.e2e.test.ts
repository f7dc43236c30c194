/** Published ports in all forms, from the host, containers and neighbours, and their reservation on the host. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cannotRun, enginesUnderTest } from './support/engines.ts';
import { openHosts, type TestHost, until } from './support/host.ts';
import { udpClient, udpServer } from './support/udp.ts';

/** A program that listens on a TCP port of the host. It exits with 1 when the port is in use. */
const listenOn = (port: number): string[] => [
  process.execPath,
  '-e',
  `require('node:net').createServer().listen(${port}).once('error', () => process.exit(1)); setTimeout(() => process.exit(), 300_000)`,
];

for (const engine of enginesUnderTest())
  describe(`ports on ${engine}`, { skip: cannotRun(engine) }, () => {
    let host: TestHost;
    let neighbour: TestHost;
    before(async () => {
      const [first, second] = await openHosts(engine, ['server1', 'server2'], {
        images: ['nginx-app01', 'netyard-test'],
      });
      assert.ok(first && second);
      [host, neighbour] = [first, second];
    });
    after(() => host.close());

    const fetchPage = (from: TestHost, url: string): Promise<string> =>
      from.sh(`curl -s --max-time 60 --retry 20 --retry-connrefused ${url}`);
    const assertUnreachable = async (from: TestHost, url: string): Promise<void> => {
      const result = await from.run(['curl', '-s', '--max-time', '2', url]);
      assert.notEqual(result.status, 0, `${url} answered: ${result.stdout}`);
    };

    /** A neighbour with a route to the container's own address through the host. */
    const assertUnreachableByRoute = async (container: string): Promise<void> => {
      const address = await host.docker('inspect', '-f', '{{.NetworkSettings.IPAddress}}', container);
      await neighbour.sh(`ip route add ${address} via 172.16.2.101`);
      await assertUnreachable(neighbour, `http://${address}/`);
      await neighbour.sh(`ip route del ${address}`);
    };

    /** A neighbour that sends packets for 127.0.0.1 to the host. */
    const assertUnreachableByLoopback = async (port: number): Promise<void> => {
      await neighbour.sh(
        [
          'sysctl -qw net.ipv4.conf.all.route_localnet=1 && ip route add 127.0.0.1/32 via 172.16.2.101 table 7',
          `ip rule add pref 1 to 127.0.0.1 ipproto tcp dport ${port} lookup 7 && ip rule add pref 9 lookup local`,
          'ip rule del pref 0',
        ].join(' && '),
      );
      await assertUnreachable(neighbour, `http://127.0.0.1:${port}/`);
      await neighbour.sh('ip rule add pref 0 lookup local && ip rule del pref 9 && ip rule del pref 1');
    };

    test('-p 8801:80 is reachable from a neighbour, from the host at each of its addresses, and from containers', async () => {
      await host.docker('run', '-d', '--name', 'web', '-p', '8801:80', 'nginx-app01', 'nginx');
      for (const [from, address] of [
        [neighbour, '172.16.2.101'],
        [host, '172.16.2.101'],
        [host, '127.0.0.1'],
        [host, 'localhost'],
        [host, '172.17.0.1'],
      ] as const)
        assert.match(await fetchPage(from, `http://${address}:8801/`), /nginx-app01/, `${from.lab} at ${address}`);
      for (const address of ['172.16.2.101', '172.17.0.1']) {
        const page = await host.docker(
          'run',
          '--rm',
          'nginx-app01',
          'wget',
          '-qO-',
          '-T',
          '5',
          '-t',
          '2',
          `http://${address}:8801/`,
        );
        assert.match(page, /nginx-app01/, `a container at ${address}`);
      }
      const own = await host.docker('exec', 'web', 'wget', '-qO-', '-T', '5', '-t', '2', 'http://172.16.2.101:8801/');
      assert.match(own, /nginx-app01/, 'the container itself at its published port');
    });

    test("a container sees the neighbour's source address", async () => {
      await fetchPage(neighbour, 'http://172.16.2.101:8801/from-neighbour');
      const isLogged = async (): Promise<boolean> =>
        /^172\.16\.2\.102 .*from-neighbour/m.test(await host.docker('logs', 'web'));
      await until(isLogged, "the log has the neighbour's address");
    });

    test('docker port and ps show the port', async () => {
      assert.match(await host.docker('port', 'web'), /^80\/tcp -> 0\.0\.0\.0:8801$/m);
      assert.match(await host.docker('port', 'web', '80'), /^0\.0\.0\.0:8801$/m);
      assert.match(await host.docker('port', 'web', '80'), /^\[::\]:8801$/m);
      assert.match(
        await host.docker('ps', '--format', '{{.Ports}}'),
        /0\.0\.0\.0:8801->80\/tcp, (\[::\]|::):8801->80\/tcp/,
      );
    });

    test('a container with IPv4 only is reachable from the host at [::1]', async () => {
      assert.match(await fetchPage(host, 'http://[::1]:8801/'), /nginx-app01/);
    });

    test('a port that another container publishes is rejected', async () => {
      const result = await host.tryDocker('run', '-d', '--name', 'second', '-p', '8801:80', 'nginx-app01', 'nginx');
      assert.equal(result.status, 125);
      assert.match(result.stderr, /Bind for 0\.0\.0\.0:8801 failed: port is already allocated/);
      await host.docker('rm', 'second');
    });

    test('a port that a process listens on is rejected, and a process cannot listen on a published port', async () => {
      const listener = host.start(listenOn(8899));
      await host.sh('for i in $(seq 600); do ss -tnl | grep -q :8899 && exit 0; sleep 0.1; done; exit 1');
      const result = await host.tryDocker('run', '-d', '--name', 'third', '-p', '8899:80', 'nginx-app01', 'nginx');
      assert.equal(result.status, 125);
      assert.match(result.stderr, /address already in use|port is already allocated/);
      await host.docker('rm', 'third');
      listener.kill();
      const late = await host.run(listenOn(8801));
      assert.notEqual(late.status, 0, 'a process cannot listen on a published port');
    });

    test('stop and rm release the port', async () => {
      await host.docker('stop', '-t', '0', 'web');
      await assertUnreachable(host, 'http://127.0.0.1:8801/');
      await host.docker('run', '-d', '--name', 'next', '-p', '8801:80', 'nginx-app01', 'nginx');
      assert.match(await fetchPage(neighbour, 'http://172.16.2.101:8801/'), /nginx-app01/);
      await host.docker('rm', '-f', 'next', 'web');
      await assertUnreachable(neighbour, 'http://172.16.2.101:8801/');
    });

    test('-p 127.0.0.1:8802:80 is reachable only from the host', async () => {
      await host.docker('run', '-d', '--name', 'local', '-p', '127.0.0.1:8802:80', 'nginx-app01', 'nginx');
      assert.match(await fetchPage(host, 'http://127.0.0.1:8802/'), /nginx-app01/);
      await assertUnreachable(neighbour, 'http://172.16.2.101:8802/');
      if (engine === 'netyard') {
        // dockerd 20.10 accepts such packets; later versions do not.
        await assertUnreachableByRoute('local');
        await assertUnreachableByLoopback(8802);
      }
      await host.docker('rm', '-f', 'local');
    });

    test('-p 80 and -P choose free ports, a range maps in order', async () => {
      await host.docker('run', '-d', '--name', 'any', '-p', '80', 'nginx-app01', 'nginx');
      const port = (await host.docker('port', 'any', '80')).split('\n')[0]?.split(':').at(-1);
      assert.ok(Number(port) >= 1024, `port ${port}`);
      assert.match(await fetchPage(neighbour, `http://172.16.2.101:${port}/`), /nginx-app01/);
      await host.docker('run', '-d', '--name', 'all', '-P', '--expose', '81', 'nginx-app01', 'nginx');
      for (const port of ['80', '81']) assert.match(await host.docker('port', 'all', port), /^0\.0\.0\.0:\d+$/m);
      await host.docker('run', '-d', '--name', 'range', '-p', '9000-9002:80-82', 'nginx-app01', 'nginx');
      for (const [inner, outer] of [
        ['80', '9000'],
        ['81', '9001'],
        ['82', '9002'],
      ] as const)
        assert.match(await host.docker('port', 'range', inner), new RegExp(`0\\.0\\.0\\.0:${outer}`));
      await host.docker('run', '-d', '--name', 'first-free', '-p', '9002-9005:80', 'nginx-app01', 'nginx');
      assert.match(await host.docker('port', 'first-free', '80'), /:9003$/m);
      await host.docker('rm', '-f', 'any', 'all', 'range', 'first-free');
    });

    test('a published UDP port answers neighbours and the host', async () => {
      await host.docker('run', '-d', '--name', 'udp', '-p', '8853:53/udp', 'netyard-test', 'sleep', '1000');
      const server = host.start(udpServer(await host.docker('inspect', '-f', '{{.State.Pid}}', 'udp'), 53));
      try {
        const answer = await neighbour.output(...udpClient('172.16.2.101', 8853, 'ping'));
        assert.equal(answer, 'ping from 172.16.2.102\n');
        assert.match(await host.output(...udpClient('172.16.2.101', 8853, 'ping')), /^ping from /);
        assert.match(await host.output(...udpClient('127.0.0.1', 8853, 'ping')), /^ping from /);
      } finally {
        server.kill();
      }
      assert.match(await host.docker('port', 'udp'), /^53\/udp -> 0\.0\.0\.0:8853$/m);
      await host.docker('rm', '-f', 'udp');
    });

    test('ports are added to and removed from a running container', { skip: engine !== 'netyard' }, async () => {
      await host.docker('run', '-d', '--name', 'web', '-p', '8801:80', 'nginx-app01', 'nginx');
      assert.match(await host.netyard('port', 'add', '--dry-run', 'web', '8805:80'), /8805/);
      const incomplete = await host.run(['netyard', 'port', 'add', 'web']);
      assert.match(incomplete.stderr, /No such container: add\nto change ports, run `netyard port add CONTAINER /);
      await assertUnreachable(neighbour, 'http://172.16.2.101:8805/');
      assert.equal(
        (await host.netyard('port', 'add', 'web', '8805:80', '127.0.0.1:8806:80')).trim(),
        '80/tcp -> 0.0.0.0:8805\n80/tcp -> 127.0.0.1:8806\n80/tcp -> [::]:8805',
      );
      assert.match(await fetchPage(neighbour, 'http://172.16.2.101:8805/'), /nginx-app01/);
      assert.match(await fetchPage(host, 'http://127.0.0.1:8806/'), /nginx-app01/);
      assert.match(await host.docker('port', 'web', '80'), /^0\.0\.0\.0:8805$/m);
      assert.match(await host.docker('ps', '--format', '{{.Ports}}'), /0\.0\.0\.0:8805->80\/tcp/);
      const events = await host.sh('docker events --since 0 --until "$(date +%s.%N)" --filter event=publish');
      assert.match(events, /container publish .*ports=8805:80\/tcp,127\.0\.0\.1:8806:80\/tcp/);

      await host.restartDaemon();
      await host.docker('restart', '-t', '0', 'web');
      assert.match(await fetchPage(neighbour, 'http://172.16.2.101:8805/'), /nginx-app01/);

      await host.netyard('port', 'rm', 'web', '8805:80');
      await assertUnreachable(neighbour, 'http://172.16.2.101:8805/');
      assert.match(await fetchPage(neighbour, 'http://172.16.2.101:8801/'), /nginx-app01/);
      const format = '{{json .HostConfig.PortBindings}}';
      const bindings = JSON.parse(await host.docker('inspect', '-f', format, 'web'));
      assert.deepEqual(bindings, {
        '80/tcp': [
          { HostIp: '', HostPort: '8801' },
          { HostIp: '127.0.0.1', HostPort: '8806' },
        ],
      });
      await host.docker('rm', '-f', 'web');
    });

    test('traffic that leaves the host is masqueraded', async () => {
      const far = neighbour.start(udpServer('self', 8854));
      try {
        await host.docker('run', '-d', '--name', 'inner', 'netyard-test', 'sleep', '1000');
        const pid = await host.docker('inspect', '-f', '{{.State.Pid}}', 'inner');
        const query = udpClient('172.16.2.102', 8854, 'who');
        assert.equal(await host.output('nsenter', `--net=/proc/${pid}/ns/net`, ...query), 'who from 172.16.2.101\n');
      } finally {
        far.kill();
        await host.docker('rm', '-f', 'inner');
      }
      assert.equal((await host.sh('sysctl -n net.ipv4.ip_forward')).trim(), '1');
    });
  });
