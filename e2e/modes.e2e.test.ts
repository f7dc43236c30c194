/** The commands of the tutorial's chapter 4: bridge, host, none and container mode, and their conflicts. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cannotRun, enginesUnderTest } from './support/engines.ts';
import { openHost, type TestHost } from './support/host.ts';

const dockerIn = join(import.meta.dirname, '../examples/docker-in.sh');

for (const engine of enginesUnderTest())
  describe(`modes on ${engine}`, { skip: cannotRun(engine) }, () => {
    let host: TestHost;
    before(async () => {
      host = await openHost(engine, { images: ['nginx-app01', 'netyard-test'] });
    });
    after(() => host.close());

    /** Output of a command that is typed into the tutorial's `bash docker-in.sh NAME`. */
    const inside = async (name: string, line: string): Promise<string> => {
      const { status, stdout, stderr } = await host.run(['bash', dockerIn, name], { stdin: `${line}\n` });
      assert.equal(status, 0, stderr);
      return stdout.trimEnd();
    };

    test('docker rm -f `docker ps -a -q`', async () => {
      await host.docker('run', '-d', '--name', 'old', 'nginx-app01', 'nginx');
      await host.sh('docker rm -f `docker ps -a -q`');
      assert.equal(await host.docker('ps', '-aq'), '');
    });

    test('docker run -d --name net_host_nginx --net=host nginx-app01 nginx', async () => {
      assert.doesNotMatch(await host.sh('ss -tnl'), /:80 /);
      await host.docker('run', '-d', '--name', 'net_host_nginx', '--net=host', 'nginx-app01', 'nginx');
      assert.equal(await inside('net_host_nginx', 'hostname'), 'server1');
      assert.match(await inside('net_host_nginx', 'ifconfig'), /ens33[\s\S]*inet 172\.16\.2\.101 /);
      assert.match(await host.sh('curl -s --retry 20 --retry-connrefused http://172.16.2.101/'), /nginx-app01/);
      assert.match(await host.sh('ss -tnl'), /:80 /);
      assert.equal(await inside('net_host_nginx', 'cat /etc/hosts'), (await host.sh('cat /etc/hosts')).trimEnd());
      await host.docker('rm', '-f', 'net_host_nginx');
      assert.doesNotMatch(await host.sh('ss -tnl'), /:80 /);
    });

    test('docker run -d --name net_none --net=none nginx-app01 nginx', async () => {
      await host.docker('run', '-d', '--name', 'net_none', '--net=none', '-p', '8899:80', 'nginx-app01', 'nginx');
      assert.equal(await host.docker('ps', '--format', '{{.Ports}}', '--filter', 'name=net_none'), '');
      assert.equal(await host.docker('inspect', '-f', '{{json .NetworkSettings.Ports}}', 'net_none'), '{}');
      assert.deepEqual((await inside('net_none', 'ls /sys/class/net')).split('\n'), ['lo']);
      assert.equal(await inside('net_none', 'ip route'), '');
      assert.match(await inside('net_none', 'ping -c 1 -W 30 127.0.0.1'), /1 packets received|1 received/);
      await host.docker('rm', '-f', 'net_none');
    });

    test('docker run -it --name net_container --net=container:nginx-web1 nginx-app01 bash', async () => {
      await host.docker('run', '-d', '--name', 'nginx-web1', 'nginx-app01', 'nginx');
      const show =
        'hostname; ip -4 -o addr show eth0; until wget -qO- http://127.0.0.1/; do sleep 0.1; done; cat /etc/hosts; ls /proc | grep -c "^[0-9]"';
      const printed = await host.docker(
        ...['run', '-i', '--name', 'net_container', '--net=container:nginx-web1', 'nginx-app01', 'bash', '-c', show],
      );
      assert.ok(printed.startsWith(`${await inside('nginx-web1', 'hostname')}\n`), 'the same host name');
      const address = await host.docker('inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'nginx-web1');
      assert.ok(printed.includes(`inet ${address}/16`), 'the same address');
      assert.match(printed, /nginx-app01/, "the owner's port on lo");
      assert.ok(printed.includes(await inside('nginx-web1', 'cat /etc/hosts')), 'the same hosts file');
      assert.ok(Number(printed.split('\n').at(-1)) < 10, 'its own processes');
      await host.docker('rm', '-f', 'net_container', 'nginx-web1');
    });

    test('docker run -d --name net_bridge nginx-app01 /usr/sbin/nginx', async () => {
      for (const net of [[], ['--net=bridge'], ['--network', 'default']]) {
        await host.docker('run', '-d', '--name', 'net_bridge', ...net, 'nginx-app01', '/usr/sbin/nginx');
        assert.match(
          await inside('net_bridge', 'ifconfig eth0'),
          /inet 172\.17\.0\.\d+ +netmask 255\.255\.0\.0 +broadcast 172\.17\.255\.255/,
        );
        assert.match(await inside('net_bridge', 'ip route'), /^default via 172\.17\.0\.1 dev eth0/m);
        await host.docker('rm', '-f', 'net_bridge');
      }
    });

    test('a container in container mode restarts with its renamed owner, and does not start without it', async () => {
      await host.docker('run', '-d', '--name', 'owner', 'netyard-test', 'sleep', '1000');
      await host.docker('run', '-d', '--name', 'guest', '--net=container:owner', 'netyard-test', 'sleep', '1000');
      await host.docker('rename', 'owner', 'renamed');
      await host.docker('restart', '-t', '0', 'guest');
      assert.equal(await inside('guest', 'hostname'), await inside('renamed', 'hostname'));
      await host.docker('stop', '-t', '0', 'guest', 'renamed');
      const start = await host.tryDocker('start', 'guest');
      assert.equal(start.status, 1);
      assert.match(
        start.stderr,
        /cannot join network of a non running container|cannot join network namespace of a non running container: .* is exited/,
      );
      await host.docker('rm', 'guest', 'renamed');
    });

    // CLIs before 28 reject links themselves, with their own message.
    const conflicts: [string[], RegExp][] = [
      [['--net=container:'], /invalid (network mode: invalid )?container format container:<name\|id>/],
      [['--net=container:target', '--hostname', 'h'], /conflicting options: hostname and the network mode/],
      [
        ['--net=container:target', '--link', 'target:x'],
        /conflicting options: container type network can't be used with links\. This would result in undefined behavior|links are only supported for user-defined networks/,
      ],
      [['--net=container:target', '--dns', '1.1.1.1'], /conflicting options: dns and the network mode/],
      [
        ['--net=container:target', '--add-host', 'a:1.2.3.4'],
        /conflicting options: custom host-to-IP mapping and the network mode/,
      ],
      [
        ['--net=container:target', '-p', '8080:80'],
        /conflicting options: port publishing and the container type network mode/,
      ],
      [['--net=container:target', '-P'], /conflicting options: port publishing and the container type network mode/],
      [
        ['--net=container:target', '--expose', '80'],
        /conflicting options: port exposing and the container type network mode/,
      ],
      [
        ['--net=host', '--link', 'target:x'],
        /conflicting options: host type networking can't be used with links\. This would result in undefined behavior|links are only supported for user-defined networks/,
      ],
      [
        ['--link', 'on-host:x'],
        /conflicting options: host type networking can't be used with links|onflicting options/,
      ],
      [['--link', 'absent:x'], /could not get container for absent: No such container: absent/],
      [['--name', 'me', '--link', 'me:x'], /could not get container for me|No such container: me/],
      [['--link', 'a:b:c'], /bad format for links: a:b:c|invalid format for links/],
      [
        ['--network-alias', 'x'],
        /network-scoped aliases? (is|are) (only )?supported (only )?for.*user-defined networks|network-scoped alias/,
      ],
      [
        ['--ip', '10.1.1.1'],
        engine === 'netyard'
          ? /no configured subnet contains IP address 10\.1\.1\.1/
          : /user[- ]specified IP address is supported on user[- ]defined networks only/,
      ],
      [['--uts=host', '--hostname', 'h'], /conflicting options: hostname and the UTS mode/],
      [
        ['--uts=host', '--domainname', 'd'],
        engine === 'netyard'
          ? /conflicting options: domainname and the UTS mode/
          : /sysctl "kernel.domainname" is not in a separate kernel namespace/,
      ],
    ];

    test("conflicting options are rejected with status 125 and Docker's message, and leave nothing", async (t) => {
      await host.docker('run', '-d', '--name', 'target', 'netyard-test', 'sleep', '1000');
      await host.docker('run', '-d', '--name', 'on-host', '--net=host', 'netyard-test', 'sleep', '1000');
      const client = Number((await host.docker('version', '-f', '{{.Client.Version}}')).split('.')[0]);
      const neverSent = (args: readonly string[]): boolean =>
        client < 28 && /^--(ip|network-alias)$/.test(args[0] ?? '');
      for (const [args, message] of conflicts)
        await t.test(args.join(' '), { skip: neverSent(args) && 'a CLI before 28 does not send it' }, async () => {
          const result = await host.tryDocker('run', '-d', ...args, 'netyard-test', 'sleep', '1');
          assert.match(result.stderr, message);
          assert.equal(result.status, 125);
          const left = (await host.docker('ps', '-a', '--format', '{{.Names}}')).split('\n').sort();
          const created = left.filter((name) => name !== 'target' && name !== 'on-host' && !name.includes('/'));
          if (engine === 'netyard') assert.deepEqual(created, []);
          for (const name of created) await host.docker('rm', name);
        });
    });

    test('a start without the owner of the network is rejected, with its name', async () => {
      const result = await host.tryDocker(
        'run',
        '-d',
        '--name',
        'orphan',
        '--net=container:absent',
        'netyard-test',
        'true',
      );
      assert.equal(result.status, 125);
      assert.match(result.stderr, /No such container: absent/);
      await host.tryDocker('rm', 'orphan');
    });

    test('--sysctl net.* changes the container’s or the joined namespace, never the host’s', async () => {
      const key = 'net.ipv4.tcp_fin_timeout';
      const before = await host.sh(`sysctl -n ${key}`);
      const read = `/proc/sys/${key.replaceAll('.', '/')}`;
      await host.docker('run', '-d', '--name', 'owner', '--sysctl', `${key}=31`, 'netyard-test', 'sleep', '300');
      assert.equal(await inside('owner', `cat ${read}`), '31');
      const joined = ['run', '--rm', '--net', 'container:owner', '--sysctl', `${key}=32`, 'netyard-test', 'cat', read];
      assert.equal(await host.docker(...joined), '32');
      assert.equal(await inside('owner', `cat ${read}`), '32');
      const limits = 'cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range';
      assert.deepEqual((await inside('owner', limits)).split(/\s+/), ['0', '0', '2147483647']);
      const own = ['--sysctl', 'net.ipv4.ip_unprivileged_port_start=80', 'netyard-test', 'sh', '-c', limits];
      assert.match(await host.docker('run', '--rm', ...own), /^80\n0\s2147483647$/);
      const rejected = await host.tryDocker(
        'run',
        '--rm',
        '--net',
        'host',
        '--sysctl',
        `${key}=33`,
        'netyard-test',
        'true',
      );
      assert.match(rejected.stderr, /sysctl "net\.ipv4\.tcp_fin_timeout" not allowed in host network namespace/);
      await host.docker('run', '-d', '--name', 'sysctl-host', '--net', 'host', 'netyard-test', 'sleep', '300');
      const indirect = [
        'run',
        '--rm',
        '--net',
        'container:sysctl-host',
        '--sysctl',
        `${key}=34`,
        'netyard-test',
        'true',
      ];
      assert.match((await host.tryDocker(...indirect)).stderr, /not allowed in host network namespace/);
      assert.equal(await host.sh(`sysctl -n ${key}`), before);
      await host.docker('rm', '-f', 'owner', 'sysctl-host');
    });

    test('a created container with a long name starts', async () => {
      for (const length of [63, 64, 200, 212, 230, 250]) {
        const name = 'n'.repeat(length);
        if ((await host.tryDocker('create', '--name', name, 'netyard-test', 'true')).status !== 0) continue;
        await host.docker('start', name);
        await host.docker('rm', '-f', name);
      }
    });

    test('host mode with -p starts with a warning', async () => {
      const result = await host.tryDocker('run', '--rm', '--net=host', '-p', '8080:80', 'netyard-test', 'true');
      assert.equal(result.status, 0);
      assert.match(result.stderr, /Published ports are discarded when using host network mode/);
    });
  });
