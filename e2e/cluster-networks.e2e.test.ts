/**
 * Networks of a cluster on three hosts, one of which is behind a router and reached through the tunnel: they exist on every
 * host, containers on them reach each other by address and by name, and nothing else reaches these.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ipToBytes, parseIp } from '@netyard/core';
import { bringDown, bringUp, killHost, parseLab } from '@netyard/lab';
import { cannotRun } from './support/engines.ts';
import { TestHost, until } from './support/host.ts';
import { archivePath } from './support/images.ts';

const noEtcd = spawnSync('etcd', ['--version']).error ? 'etcd is not installed (apt-get install etcd-server)' : false;
/** As filled by script/unpack-compose. */
const unpacked = process.env['NETYARD_COMPOSE'] ?? '';
const noCompose =
  !existsSync(join(unpacked, 'complete')) && 'NETYARD_COMPOSE names no folder that script/unpack-compose filled';
const config = join(unpacked, 'config');
const image = 'netyard-test';
const lab = `e2e-overlay-${process.pid}`;
const endpoint = '172.16.0.11:2379';

/** An IPv6 address as proc_net_tcp(5) has it: four words in the byte order of the host. */
const inProc = (address: string): string =>
  [0, 4, 8, 12]
    .map((at) => Buffer.from(ipToBytes(parseIp(address)).slice(at, at + 4)).reverse())
    .map((word) => word.toString('hex').toUpperCase())
    .join('');

const daemon = [`--cluster=etcd://${endpoint}`, '--cluster-lease=5'];
const definition = parseLab(
  JSON.stringify({
    name: lab,
    switches: { near: '172.16.0.0/24', far: '172.16.1.0/24' },
    routers: { r1: { near: '172.16.0.1', far: '172.16.1.1' } },
    hosts: {
      a: {
        ...{ switch: 'near', address: '172.16.0.11', gateway: 'r1', daemon },
        services: {
          etcd: {
            run: `exec etcd --data-dir {state}/etcd --listen-client-urls http://${endpoint} --advertise-client-urls http://${endpoint}`,
            ready: `etcdctl --endpoints http://${endpoint} endpoint health`,
          },
        },
      },
      b: { switch: 'near', address: '172.16.0.12', gateway: 'r1', daemon },
      c: { switch: 'far', address: '172.16.1.13', gateway: 'r1', daemon },
    },
  }),
  'overlay',
);

describe('networks of a cluster', { skip: cannotRun('netyard') || noEtcd }, () => {
  let a: TestHost;
  let b: TestHost;
  let c: TestHost;
  const all = (): TestHost[] => [a, b, c];
  before(async () => {
    await bringUp(definition, { say: () => {}, signal: new AbortController().signal });
    const open = (name: string): TestHost => {
      const host = definition.hosts.find((one) => one.name === name);
      assert.ok(host);
      return new TestHost('netyard', lab, host, {});
    };
    [a, b, c] = [open('a'), open('b'), open('c')];
    for (const host of all()) {
      await host.docker('load', '-q', '-i', archivePath(image));
      const settled = async () => (await host.sh('ip route show proto 78')).trim().split('\n').length === 2;
      await until(settled, 'the other hosts are peers');
    }
  });
  after(async () => await bringDown(lab));

  const run = (host: TestHost, name: string, ...options: string[]): Promise<string> =>
    host.docker('run', '-d', '--name', name, ...options, image, 'sleep', '1000000');
  const addressOf = (host: TestHost, name: string, network: string): Promise<string> =>
    host.docker('inspect', '-f', `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`, name);
  const pings = async (host: TestHost, from: string, target: string): Promise<boolean> =>
    (await host.tryDocker('exec', from, 'ping', '-c', '1', '-W', '1', target)).status === 0;
  /** On a busy machine, an answer may take longer than one ping waits. */
  const reaches = (host: TestHost, from: string, target: string): Promise<void> =>
    until(() => pings(host, from, target), `${from} reaches ${target}`);
  const lookUp = async (host: TestHost, from: string, name: string): Promise<string[]> => {
    const { stdout } = await host.tryDocker('exec', from, 'busybox', 'nslookup', name, '127.0.0.11');
    const found = stdout.matchAll(/^Address(?: \d+)?: *(10\.\d+\.\d+\.\d+|fd[\da-f:]+)/gm);
    return [...found].map(([, address = '']) => address).sort();
  };
  const resolves = (host: TestHost, from: string, name: string, addresses: string[]): Promise<void> =>
    until(
      async () => (await lookUp(host, from, name)).join() === addresses.toSorted().join(),
      `${name} on ${host.lab}`,
    );
  const networks = async (host: TestHost): Promise<string> =>
    host.docker('network', 'ls', '--filter', 'driver=overlay', '--format', '{{.Name}} {{.Driver}} {{.Scope}}');

  test('a network is on all hosts, and containers on it reach each other with their own addresses', async () => {
    await a.docker('network', 'create', '-d', 'overlay', '--attachable', '--label', 'x=y', 'back');
    assert.equal(await networks(a), 'back overlay swarm');
    const created = performance.now();
    for (const host of all()) await until(async () => (await networks(host)) === 'back overlay swarm', 'the network');
    console.log(`all hosts show it ${(performance.now() - created).toFixed(0)} ms later, in three calls of docker`);
    const [config] = JSON.parse(await c.docker('network', 'inspect', '-f', '{{json .IPAM.Config}}', 'back'));
    assert.equal(config.Subnet, '10.128.0.0/16');
    assert.equal(await c.docker('network', 'inspect', '-f', '{{json .Labels}}', 'back'), '{"x":"y"}');
    for (const host of all()) await run(host, 'web', '--network', 'back', '--network-alias', 'app');
    const addresses = await Promise.all(all().map((host) => addressOf(host, 'web', 'back')));
    assert.equal(new Set(addresses).size, 3);
    for (const host of all())
      for (const address of addresses) await until(() => pings(host, 'web', address), `${address} answers`);
    const [first = '', second = '', third = ''] = addresses;
    for (const [host, target] of [
      [a, second],
      [a, third],
      [c, first],
    ] as const) {
      const from = await addressOf(host, 'web', 'back');
      const other = target === second ? b : target === third ? c : a;
      await other.docker('exec', '-d', 'web', 'sh', '-c', 'nc -l -p 99 -e sh -c "netstat -tn > /seen"');
      await until(async () => (await host.tryDocker('exec', 'web', 'nc', '-w', '2', target, '99')).status === 0, 'nc');
      assert.match(await other.docker('exec', 'web', 'cat', '/seen'), new RegExp(`${target}:99 +(::ffff:)?${from}:`));
    }
  });

  test('names are known across hosts, with all addresses, and go with their container', async () => {
    const addresses = await Promise.all(all().map((host) => addressOf(host, 'web', 'back')));
    for (const host of all())
      for (const name of ['web', 'app', 'web.back']) await resolves(host, 'web', name, addresses);
    const [first = '', second = '', third = ''] = addresses;
    assert.match(
      (await a.tryDocker('exec', 'web', 'busybox', 'nslookup', third, '127.0.0.11')).stdout,
      /name = web\.back/,
    );
    await b.docker('stop', '-t', '0', 'web');
    await resolves(c, 'web', 'app', [first, third]);
    await b.docker('start', 'web');
    await resolves(c, 'web', 'app', [first, await addressOf(b, 'web', 'back'), third]);
    assert.equal(await addressOf(b, 'web', 'back'), second, 'a free address is kept');
  });

  test('a container on several networks reaches all hosts of the network', async () => {
    await b.docker('network', 'create', 'aaa');
    await run(b, 'both', '--network', 'aaa');
    await b.docker('network', 'connect', 'back', 'both');
    for (const host of [a, c]) {
      await until(() => pings(b, 'both', '127.0.0.1'), 'it runs');
      const [web, both] = [await addressOf(host, 'web', 'back'), await addressOf(b, 'both', 'back')];
      await reaches(b, 'both', web);
      await reaches(host, 'web', both);
    }
  });

  const containers = [
    ['web', 'back'],
    ['front', 'front'],
    ['bridged', 'bridge'],
  ] as const;

  test('ports of its containers are published on their host', async () => {
    await run(b, 'server', '--network', 'back', '-p', '8080:80');
    const serve = 'mkdir -p /www && echo page > /www/index.html && httpd -p 80 -h /www';
    await b.docker('exec', 'server', 'sh', '-c', serve);
    assert.equal(await a.sh('curl -s http://172.16.0.12:8080/'), 'page\n');
    const get = "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc server 80";
    assert.match(await c.docker('exec', 'web', 'sh', '-c', get), /\npage$/, 'and open to its network');
    await b.docker('rm', '-f', 'server');
  });

  test('other networks do not reach it, on this host or another', async () => {
    await a.netyard('network', 'create', '--scope', 'cluster', 'front');
    for (const host of [b, c]) await until(async () => (await networks(host)).includes('front overlay'), 'front');
    for (const host of all()) {
      await run(host, 'bridged');
      await run(host, 'front', '--network', 'front');
    }
    const [front, bridged] = [await addressOf(c, 'front', 'front'), await addressOf(c, 'bridged', 'bridge')];
    await reaches(a, 'front', front);
    await reaches(a, 'bridged', bridged); // the default bridges reach each other
    const targets = new Map<string, string[]>();
    for (const [name, network] of containers)
      targets.set(name, await Promise.all(all().map((host) => addressOf(host, name, network))));
    const attempts = all().flatMap((host) =>
      containers.map(async ([name]) => {
        const others = containers.flatMap(([other]) => (other === name ? [] : (targets.get(other) ?? [])));
        const line = `for t in ${others.join(' ')}; do ping -c 1 -W 1 $t > /dev/null 2>&1 && echo $t & done; wait`;
        assert.equal(await host.docker('exec', name, 'sh', '-c', line), '', `what ${name} on ${host.pid} reaches`);
      }),
    );
    await Promise.all(attempts);
    assert.deepEqual(await lookUp(a, 'front', 'web'), []);
    // a route of another host, and packets that pretend to come from the network
    await b.sh(`ip addr add 10.128.255.9/32 dev lo`);
    const target = await addressOf(a, 'web', 'back');
    assert.notEqual((await b.run(['ping', '-c', '1', '-W', '1', '-I', '10.128.255.9', target])).status, 0);
    await b.sh('ip addr del 10.128.255.9/32 dev lo');
    const fromHost = async (): Promise<boolean> => (await b.run(['ping', '-c', '1', '-W', '1', target])).status === 0;
    await until(fromHost, 'the host itself is a neighbour');
  });

  test('an internal network, with parts of a size of its own, reaches its other hosts and nothing else', async () => {
    const size = ['--subnet', '10.77.0.0/20', '-o', 'netyard.subnet-size=26'];
    await c.docker('network', 'create', '-d', 'overlay', '--internal', ...size, 'inner');
    for (const host of [a, b]) await until(async () => (await networks(host)).includes('inner overlay'), 'inner');
    for (const host of [a, c]) await run(host, 'inner', '--network', 'inner');
    const [own, other] = [await addressOf(a, 'inner', 'inner'), await addressOf(c, 'inner', 'inner')];
    await until(() => pings(a, 'inner', other), 'a reaches c');
    await until(() => pings(c, 'inner', own), 'c reaches a');
    await reaches(a, 'web', '172.16.0.12'); // another network reaches the outside
    assert.ok(!(await pings(a, 'inner', '172.16.0.12')));
    assert.ok(!(await pings(a, 'inner', '10.77.15.250')), 'not even at an address of no host');
    for (const host of [a, c]) await host.docker('rm', '-f', 'inner');
    await a.docker('network', 'rm', 'inner');
  });

  test('a network in use on any host is not removed; names and subnets are unique in the cluster', async () => {
    await a.docker('rm', '-f', 'front');
    await c.docker('rm', '-f', 'front');
    const refused = await a.tryDocker('network', 'rm', 'front');
    assert.match(refused.stderr, /network front has active endpoints \(name:"front" id:"[0-9a-f]{12}"\) on b/);
    const own = await b.tryDocker('network', 'rm', 'front');
    assert.match(own.stderr, /network front has active endpoints \(name:"front" id:"[0-9a-f]{12}"\)\s/);
    assert.match(
      (await b.tryDocker('network', 'create', '-d', 'overlay', 'front')).stderr,
      /network with name front already exists/,
    );
    const taken = await b.tryDocker('network', 'create', '-d', 'overlay', '--subnet', '10.128.7.0/24', 'other');
    assert.match(taken.stderr, /overlaps with/);
    const encrypted = await b.tryDocker('network', 'create', '-d', 'overlay', '-o', 'encrypted', 'other');
    assert.match(encrypted.stderr, /option encrypted of overlay networks is not implemented yet/);
    await b.docker('rm', '-f', 'front');
    await a.docker('network', 'rm', 'front');
    for (const host of all()) await until(async () => !(await networks(host)).includes('front'), 'removed');
    for (const host of all())
      assert.ok(!(await host.sh('nft list ruleset; ip route')).includes('10.129.'), 'nothing is left');
  });

  const addressesOf = async (host: TestHost, name: string, network: string): Promise<string[]> => {
    const path = `(index .NetworkSettings.Networks "${network}")`;
    const format = `{{${path}.IPAddress}} {{${path}.GlobalIPv6Address}}`;
    return (await host.docker('inspect', '-f', format, name)).split(' ');
  };

  test('on a network with IPv6 containers reach each other with both families, by address and by name', async () => {
    await b.docker('network', 'create', '-d', 'overlay', '--ipv6', 'six');
    for (const host of all()) await until(async () => (await networks(host)).includes('six overlay'), 'six');
    const inspected = await Promise.all(
      all().map(async (host) => JSON.parse(await host.docker('network', 'inspect', '-f', '{{json .}}', 'six'))),
    );
    const subnets = inspected.map(({ IPAM }) => IPAM.Config.map(({ Subnet }: { Subnet: string }) => Subnet).join());
    assert.match(subnets[0] ?? '', /^10\.\d+\.0\.0\/16,fd[\da-f:]+::\/48$/);
    assert.equal(new Set(subnets).size, 1, 'all hosts show the whole subnets');
    assert.ok(inspected.every(({ EnableIPv6 }) => EnableIPv6));
    const ranges = inspected.map(({ IPAM }) => IPAM.Config[1].IPRange);
    assert.ok(ranges.every((range) => /\/64$/.test(range)) && new Set(ranges).size === 3, 'and their own parts');

    for (const host of all()) await run(host, 'six', '--network', 'six', '--network-alias', 'dual');
    const addresses = await Promise.all(all().map((host) => addressesOf(host, 'six', 'six')));
    for (const host of all()) {
      for (const address of addresses.flat()) await until(() => pings(host, 'six', address), `${address} answers`);
      await resolves(host, 'six', 'dual', addresses.flat());
    }
    const [[, first = ''] = [], [, second = ''] = [], [, third = ''] = []] = addresses;
    for (const [host, target, other] of [
      [a, second, b],
      [a, third, c],
      [c, first, a],
    ] as const) {
      const [, from = ''] = await addressesOf(host, 'six', 'six');
      await other.docker('exec', '-d', 'six', 'sh', '-c', 'nc -l -p 99 -e sh -c "cat /proc/net/tcp6 > /seen"');
      await until(async () => (await host.tryDocker('exec', 'six', 'nc', '-w', '2', target, '99')).status === 0, 'nc');
      assert.match(
        await other.docker('exec', 'six', 'cat', '/seen'),
        new RegExp(`${inProc(target)}:0063 ${inProc(from)}:`),
      );
      const { stdout } = await host.tryDocker('exec', 'six', 'busybox', 'nslookup', target, '127.0.0.11');
      assert.match(stdout, /name = six\.six/);
    }
    assert.deepEqual(
      await Promise.all([first, second, third].map((target) => pings(a, 'web', target))),
      [false, false, false],
      'other networks reach none',
    );
    const web = await addressOf(b, 'web', 'back');
    await reaches(a, 'web', web); // which go on as before
  });

  test('the subnets of IPv6 may be given; they are unique, and the containers of an internal one reach no others', async () => {
    const request = ['network', 'create', '-d', 'overlay', '--ipv6', '--internal', '--subnet', 'fd00:77::/64'];
    await a.docker(...request, '--subnet', '10.77.0.0/20', '-o', 'netyard.subnet-size=26', 'inner6');
    for (const host of [b, c]) await until(async () => (await networks(host)).includes('inner6 overlay'), 'inner6');
    const taken = await b.tryDocker(...request, 'other');
    assert.match(taken.stderr, /subnet fd00:77::\/64 overlaps with/);
    for (const host of [a, c]) await run(host, 'inner6', '--network', 'inner6');
    const own = await addressesOf(a, 'inner6', 'inner6');
    const other = await addressesOf(c, 'inner6', 'inner6');
    assert.match(await c.docker('network', 'inspect', '-f', '{{(index .IPAM.Config 1).IPRange}}', 'inner6'), /\/70$/);
    for (const address of other) await until(() => pings(a, 'inner6', address), `a reaches ${address}`);
    for (const address of own) await until(() => pings(c, 'inner6', address), `c reaches ${address}`);
    const [, six = ''] = await addressesOf(c, 'six', 'six');
    for (const address of [six, 'fd00:77::ff00:0:0:9']) assert.ok(!(await pings(a, 'inner6', address)));
    for (const host of [a, c]) await host.docker('rm', '-f', 'inner6');
    await c.docker('network', 'rm', 'inner6');
    for (const host of all()) await until(async () => !(await networks(host)).includes('inner6'), 'removed');
  });

  test('while etcd is away traffic and names stay, also across a restart; a creation fails and says why', async () => {
    const command = await a.sh("tr '\\0' ' ' < /proc/$(pidof etcd)/cmdline");
    await a.sh('kill -9 $(pidof etcd)');
    const sees = async (host: TestHost, state: RegExp): Promise<boolean> => {
      const { stdout, stderr } = await host.tryNetyard('cluster', 'ls');
      return state.test(stdout + stderr);
    };
    await until(() => sees(b, /unreachable/), 'etcd is away');
    const failed = await b.tryDocker('network', 'create', '-d', 'overlay', 'late');
    assert.match(failed.stderr, /etcd is unreachable/);
    await b.killDaemon();
    await b.restartDaemon();
    assert.equal(await networks(b), 'back overlay swarm\nsix overlay swarm');
    const dual = (await Promise.all(all().map((host) => addressesOf(host, 'six', 'six')))).flat();
    await resolves(b, 'six', 'dual', dual);
    for (const address of dual) await reaches(b, 'six', address);
    const addresses = await Promise.all(all().map((host) => addressOf(host, 'web', 'back')));
    await resolves(b, 'web', 'app', addresses);
    for (const address of addresses) await reaches(b, 'web', address);
    await a.sh(`setsid --fork ${command} > /run/etcd.log 2>&1`);
    for (const host of all()) await until(async () => !(await sees(host, /unreachable/)), 'etcd is back');
    assert.equal(await networks(b), 'back overlay swarm\nsix overlay swarm');
    await reaches(b, 'web', addresses[2] ?? '');
    for (const address of dual) await reaches(a, 'six', address);
  });

  test('a host that was away catches up, and one that dies takes its names along', async () => {
    await c.killDaemon();
    await a.docker('network', 'create', '-d', 'overlay', 'new');
    await c.restartDaemon();
    await until(async () => (await networks(c)).includes('new overlay'), 'created meanwhile');
    await run(c, 'late', '--network', 'new');
    await c.killDaemon();
    assert.match((await a.tryDocker('network', 'rm', 'new')).stderr, /active endpoints \(name:"late" .* on c/);
    await until(async () => (await a.tryDocker('network', 'rm', 'new')).status === 0, 'the lease of c ends');
    await c.restartDaemon();
    const log = (): Promise<string> => c.sh(`cat ${c.dataFolder}/../daemon.log`);
    await until(async () => /removed it while containers use it here: late/.test(await log()), 'the log says so');
    assert.match(await networks(c), /new/);
    await c.docker('rm', '-f', 'late');
    await until(async () => !(await networks(c)).includes('new'), 'removed with its last container');
    const addresses = await Promise.all([a, b].map((host) => addressOf(host, 'web', 'back')));
    await killHost(`${lab}/c`);
    await resolves(a, 'web', 'app', addresses);
    await resolves(a, 'six', 'dual', (await Promise.all([a, b].map((host) => addressesOf(host, 'six', 'six')))).flat());
    await until(
      async () => (await a.sh('ip route show proto 78')).trim().split('\n').length === 3,
      'its routes are gone',
    );
  });

  test('docker compose uses one network on two hosts', { skip: noCompose }, async () => {
    const file = (service: string, network: string): string =>
      JSON.stringify({
        services: { [service]: { image, command: 'sleep 1000000', networks: ['shared'], stop_grace_period: '0s' } },
        networks: { shared: { name: 'shared', ...JSON.parse(network) } },
      });
    const compose = async (host: TestHost, stdin: string, ...args: string[]): Promise<string> => {
      const command = ['docker', 'compose', '-p', 'shop', '--progress', 'plain', '-f', '-', ...args];
      const { status, stdout, stderr } = await host.run(command, { stdin, environment: { DOCKER_CONFIG: config } });
      assert.equal(status, 0, stderr);
      return stdout;
    };
    const first = file('shop', '{"driver":"overlay","attachable":true,"enable_ipv6":true}');
    const second = file('client', '{"external":true}');
    await compose(a, first, 'up', '-d');
    await until(async () => (await networks(b)).includes('shared overlay'), 'the network');
    await compose(b, second, 'up', '-d');
    const ping = ['exec', '-T', 'client', 'ping', '-6', '-c', '1', '-w', '30', 'shop'];
    assert.match(await compose(b, second, ...ping), / 0% packet loss/);
    await compose(a, first, 'up', '-d', '--force-recreate');
    assert.match(await compose(b, second, ...ping), / 0% packet loss/);
    await compose(b, second, 'down');
    assert.match(await networks(b), /shared/);
    await compose(a, first, 'down');
    await until(async () => !(await networks(b)).includes('shared'), 'removed');
  });

  test('nothing is left after the removal', async () => {
    for (const host of [a, b]) await host.docker('rm', '-f', 'web', 'six');
    await b.docker('rm', '-f', 'both');
    await b.docker('network', 'rm', 'back', 'six');
    const left = /10\.128\.|(?<![:\da-f])fd[\da-f]{2}:|fe80::\S+ dev ny-vxlan/;
    for (const host of [a, b]) {
      await until(async () => (await networks(host)) === '', 'removed');
      const state = (): Promise<string> => host.sh('nft list ruleset; ip route; ip -6 route; ip addr; ip neighbour');
      await until(async () => !left.test(await state()), 'no address of the networks is left');
    }
    const keys = await a.sh(`etcdctl --endpoints http://${endpoint} get --prefix --keys-only /netyard/`);
    assert.doesNotMatch(keys, /\/(networks|parts|endpoints)\//);
  });
});
