/** The tutorial's chapter 5: containers of two servers reach each other after one command on each; other hosts do not. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cannotRun } from './support/engines.ts';
import { collect, openHosts, type TestHost, until } from './support/host.ts';
import { takeInventory, untilInventory } from './support/leftovers.ts';

describe('peers', { skip: cannotRun('netyard') }, () => {
  let server1: TestHost;
  let server2: TestHost;
  let thirdHost: TestHost;
  before(async () => {
    const [first, second, third] = await openHosts('netyard', ['server1', 'server2', 'server3'], {
      images: ['netyard-test'],
      bips: ['192.168.11.1/24', '192.168.12.1/24', '192.168.13.1/24'],
    });
    assert.ok(first && second && third);
    [server1, server2, thirdHost] = [first, second, third];
    for (const host of [server1, server2, thirdHost])
      await host.docker('run', '-d', '--name', 'test-net-vm', 'netyard-test', 'sleep', '10000');
    for (const subnet of ['192.168.11.0/24 via 172.16.2.101', '192.168.12.0/24 via 172.16.2.102'])
      await thirdHost.sh(`ip route add ${subnet}`);
  });
  after(() => server1.close());

  /** Waits for a reply for some seconds: longer where one must come. */
  const pings = async (host: TestHost, address: string, seconds = 1): Promise<boolean> =>
    (await host.tryDocker('exec', 'test-net-vm', 'ping', '-c', '1', '-W', `${seconds}`, address)).status === 0;
  const reachEachOther = async (seconds = 1): Promise<boolean> =>
    (await pings(server1, '192.168.12.2', seconds)) && (await pings(server2, '192.168.11.2', seconds));

  const add1 = ['peer', 'add', 'server2', '--address', '172.16.2.102', '--subnet', '192.168.12.0/24'];
  const add2 = ['peer', 'add', 'server1', '--address', '172.16.2.101', '--subnet', '192.168.11.0/24', '--via', 'route'];
  let initial: Awaited<ReturnType<typeof takeInventory>>;

  test('containers are unreachable without a peer, and peer add --dry-run changes nothing', async () => {
    assert.ok(!(await pings(server1, '192.168.12.2')));
    assert.ok(!(await pings(server2, '192.168.11.2')));
    initial = await takeInventory(server1);
    const shown = await server1.netyard(...add1, '--dry-run');
    assert.match(shown, /^ip route add 192\.168\.12\.0\/24 via 172\.16\.2\.102 dev ens33 /m);
    assert.deepEqual(await takeInventory(server1), initial);
  });

  test('containers reach each other with their own addresses after one peer add on each host', async () => {
    assert.equal(await server1.netyard(...add1), 'server2');
    assert.ok(!(await pings(server1, '192.168.12.2')), 'one side alone is not enough');
    assert.equal(await server2.netyard(...add2), 'server1');
    const capture = server1.start(['tcpdump', '-i', 'ens33', '-nn', '-l', '-c', '4', 'icmp']);
    const captured = collect(capture);
    await new Promise((resolve) => capture.stderr?.once('data', resolve));
    assert.ok(await reachEachOther(30));
    const { stdout } = await captured;
    assert.match(stdout, /IP 192\.168\.11\.2 > 192\.168\.12\.2: ICMP echo request/);
    assert.match(stdout, /IP 192\.168\.12\.2 > 192\.168\.11\.2: ICMP echo request/);
    await server1.sh('ping -c 1 -w 60 192.168.12.2');
  });

  test('peer ls, peer inspect and explain show path, counters and commands', async () => {
    const row = await server1.netyard('peer', 'ls');
    assert.match(
      row,
      /^NAME +ADDRESS +SUBNETS +PATH +PACKETS IN\/OUT +LAST SEEN +STATE\nserver2 +172\.16\.2\.102 +192\.168\.12\.0\/24 +route dev ens33 +[1-9]\d*\/[1-9]\d* +\S.* +ready$/,
    );
    assert.equal(await server1.netyard('peer', 'ls', '-q'), 'server2');
    assert.equal(await server1.netyard('peer', 'inspect', '-f', '{{.Path.Link}} {{.Open}}', 'server2'), 'ens33 true');
    const script = await server1.netyard('explain', 'server2');
    assert.match(
      script,
      /^nft add element ip netyard peer_ingress_24 '\{ "ens33" \. 192\.168\.12\.0 comment "peer server2" \}'$/m,
    );
    assert.match(
      script,
      /^ip route add 192\.168\.12\.0\/24 via 172\.16\.2\.102 dev ens33 src 192\.168\.11\.1 proto 78$/m,
    );
  });

  test('other hosts on the switch reach no container', async () => {
    assert.notEqual((await thirdHost.run(['ping', '-c', '1', '-W', '1', '192.168.11.2'])).status, 0);
    assert.notEqual((await thirdHost.run(['ping', '-c', '1', '-W', '1', '192.168.12.2'])).status, 0);
    assert.ok(!(await pings(thirdHost, '192.168.11.2')));
    assert.notEqual(
      (await server2.run(['ping', '-c', '1', '-W', '1', '-I', '172.16.2.102', '192.168.11.2'])).status,
      0,
    );
  });

  test('published ports, links and masquerade work with peers', async () => {
    const serve = 'mkdir /www && echo hello > /www/index.html && exec httpd -f -p 80 -h /www';
    await server1.docker('run', '-d', '--name', 'web', '-p', '8801:80', 'netyard-test', 'sh', '-c', serve);
    const curl = 'curl -s --max-time 60 --retry 20 --retry-connrefused http://172.16.2.101:8801/';
    assert.equal(await thirdHost.sh(curl), 'hello\n');
    const fetch =
      "for i in $(seq 600); do printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc db 80 && exit; sleep 0.1; done; exit 1";
    const linked = ['run', '--rm', '--link', 'web:db', 'netyard-test', 'sh', '-c', fetch];
    assert.match(await server1.docker(...linked), /hello/);
    assert.ok(await pings(server1, '172.16.2.103', 30), 'egress');
    await server1.docker('rm', '-f', 'web');
  });

  const changes: [string, string][] = [
    ['a deleted route', 'ip route delete 192.168.12.0/24'],
    ['nft flush ruleset', 'nft flush ruleset'],
    ['an uplink that goes down and up', 'ip link set ens33 down; ip link set ens33 up'],
  ];
  for (const [what, line] of changes)
    test(`${what}: repaired, with an event`, async () => {
      const since = (await server1.sh('date +%s.%N')).trim();
      await server1.sh(line);
      await until(() => reachEachOther(), `${what}: repaired`);
      const events = async (): Promise<string> => {
        const upTo = (await server1.sh('date +%s.%N')).trim();
        return server1.docker('events', '--since', since, '--until', upTo, '--filter', 'type=network');
      };
      await until(async () => /network repair/.test(await events()), `${what}: an event`);
    });

  test('peers stay connected while the daemon is down, and are restored at its start', async () => {
    await server1.killDaemon();
    await server1.sh('ping -c 1 -w 60 192.168.12.2');
    await server1.sh('ip route delete 192.168.12.0/24');
    await server1.restartDaemon();
    assert.ok(await reachEachOther(30));
    assert.match(await server1.netyard('peer', 'ls'), /server2 .* ready/);
  });

  const rejections: [string[], RegExp, number?][] = [
    [add1, /peer server2 exists already/],
    [['peer', 'add', 'b', '--address', '172.16.2.102', '--subnet', '10.1.0.0/16'], /address of peer server2 already/],
    [
      ['peer', 'add', 'b', '--address', '172.16.2.103', '--subnet', '192.168.12.128/25'],
      /overlaps with 192\.168\.12\.0\/24 of peer server2/,
    ],
    [
      ['peer', 'add', 'b', '--address', '172.16.2.103', '--subnet', '192.168.11.0/24'],
      /overlaps with our own network bridge/,
    ],
    [['peer', 'add', 'b', '--address', '172.16.2.103', '--subnet', '172.16.0.0/16'], /contains the peer's own address/],
    [
      ['peer', 'add', 'b', '--address', '172.16.2.103', '--subnet', '172.16.9.0/24'],
      /overlaps with the host's route 172\.16\.0\.0\/16 dev ens33/,
    ],
    [['peer', 'add', 'b', '--address', '172.16.2.103', '--subnet', '0.0.0.0/0'], /0\.0\.0\.0\/0 is too large/],
    [['peer', 'add', 'b', '--address', '172.16.2.103', '--subnet', '10.1.0.1/16'], /host bits set/],
    [['peer', 'add', 'b', '--address', '172.16.2.101', '--subnet', '10.1.0.0/16'], /is an address of this host/],
    [
      ['peer', 'add', 'b', '--address', '9.9.9.9', '--subnet', '10.1.0.0/16', '--via', 'route'],
      /on no link of this host/,
    ],
    [['peer', 'add', 'b', '--address', '9.9.9.9', '--subnet', '10.1.0.0/16'], /and no route leads to it/],
    [
      ['peer', 'add', 'b', '--address', '172.16.2.103', '--subnet', '10.1.0.0/16', '--via', 'pigeon'],
      /invalid argument "pigeon" for "--via"/,
      125,
    ],
    [['peer', 'add', '../b', '--address', '172.16.2.103', '--subnet', '10.1.0.0/16'], /invalid peer name/],
    [
      ['peer', 'add', 'b', '--address', 'nowhere', '--subnet', '10.1.0.0/16'],
      /invalid argument "nowhere" for "--address"/,
      125,
    ],
    [['peer', 'add', 'b', '--address', '172.16.2.103'], /needs --subnet/],
    [['peer', 'rm', 'absent'], /peer absent not found/],
    [['peer', 'inspect', 'absent'], /peer absent not found/],
  ];
  test('invalid and conflicting peers are rejected without changes', async (t) => {
    const before = await takeInventory(server1);
    for (const [args, message, status = 1] of rejections)
      await t.test(args.slice(1).join(' '), async () => {
        const result = await server1.tryNetyard(...args);
        assert.match(result.stderr, message);
        assert.equal(result.status, status);
      });
    const after = await takeInventory(server1);
    assert.deepEqual([after['routes'], after['nftables']], [before['routes'], before['nftables']]);
  });

  test('peer rm leaves nothing behind', async () => {
    assert.equal(await server1.netyard('peer', 'rm', 'server2'), 'server2');
    await untilInventory(server1, initial, ['links', 'routes', 'nftables', 'namespaces']);
    assert.ok(!(await pings(server1, '192.168.12.2')));
    assert.ok(!(await pings(server2, '192.168.11.2')));
    assert.equal(await server1.netyard('peer', 'ls', '-q'), '');
  });
});
