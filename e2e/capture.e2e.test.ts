/** `netyard capture`: on containers, networks, uplinks, here and on a peer; and that nothing is left when it ends. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { type Certificates, makeCertificates } from './support/certificates.ts';
import { cannotRun } from './support/engines.ts';
import { type CommandResult, collect, openHosts, type TestHost, until } from './support/host.ts';
import { takeInventory } from './support/leftovers.ts';

const netyard = join(import.meta.dirname, '../bin/netyard');
const addresses = { server1: '172.16.2.101', server2: '172.16.2.102' };

describe('captures', { skip: cannotRun('netyard') }, () => {
  let server1: TestHost;
  let server2: TestHost;
  let certificates: Certificates;
  before(async () => {
    certificates = makeCertificates(addresses);
    const tls = ['--tlscert', certificates.certificate('server2'), '--tlskey', certificates.key('server2')];
    const [first, second] = await openHosts('netyard', ['server1', 'server2'], {
      images: ['netyard-test'],
      bips: ['192.168.11.1/24', '192.168.12.1/24'],
      daemonOptions: ['-H', 'tcp://0.0.0.0:2376', '--tlsverify', '--tlscacert', certificates.ca, ...tls],
    });
    assert.ok(first && second);
    [server1, server2] = [first, second];
    for (const host of [server1, server2])
      await host.docker('run', '-d', '--name', 'web', 'netyard-test', 'sleep', '10000');
    const files = [certificates.ca, certificates.certificate('server1'), certificates.key('server1')];
    const api = ['--api', 'https://172.16.2.102:2376', '--api-ca', '--api-cert', '--api-key'];
    const withFiles = [...api.slice(0, 2), ...api.slice(2).flatMap((flag, index) => [flag, files[index] ?? ''])];
    const there = ['--address', '172.16.2.102', '--subnet', '192.168.12.0/24'];
    await server1.netyard('peer', 'add', 'server2', ...there, ...withFiles);
    await server2.netyard('peer', 'add', 'server1', '--address', '172.16.2.101', '--subnet', '192.168.11.0/24');
  });
  after(async () => {
    await server1.close();
    certificates.remove();
  });

  /** Starts a command with a capture in it; resolves when it captures. */
  async function start(...command: string[]): Promise<{ child: ChildProcess; ended: Promise<CommandResult> }> {
    const child = server1.start(command);
    const ended = collect(child);
    const begun = new Promise<void>((resolve) => {
      let text = '';
      const look = (chunk: string): void => {
        text += chunk;
        if (text.includes('listening on ')) resolve();
      };
      child.stderr?.on('data', look);
      child.stdout?.on('data', look);
    });
    const early = ended.then(({ stderr }) => assert.fail(`it ended before it began: ${stderr}`));
    await Promise.race([begun, early]);
    early.catch(() => undefined);
    return { child, ended };
  }
  const capture = (...args: string[]) => start(netyard, 'capture', ...args);
  const ping = (address: string, count = 2): Promise<string> =>
    server1.docker('exec', 'web', 'ping', '-c', String(count), '-i', '0.1', '-W', '5', address);

  /** Packet sockets of the host and of its container, and the daemon's descriptors that are no files. */
  const sockets = async (): Promise<string> => {
    const daemon = '/proc/$(cat /run/netyard/netyard.pid)';
    const container = `/proc/$(docker inspect -f '{{.State.Pid}}' web)`;
    return await server1.sh(
      // A descriptor may be closed while they are listed, which readlink passes over.
      `tail -qn +2 /proc/net/packet ${container}/net/packet | wc -l; readlink ${daemon}/fd/* | awk '!/^\\// { n += 1 } END { print n + 0 }'`,
    );
  };
  let before0 = '';
  beforeEach(async () => {
    before0 ||= await sockets();
  });
  const nothingIsLeft = async (): Promise<void> => {
    const [packetSockets, descriptors] = before0.split('\n').map(Number);
    await until(async () => {
      const now = (await sockets()).split('\n').map(Number);
      return now[0] === packetSockets && (now[1] ?? 0) <= (descriptors ?? 0) + 2;
    }, 'no packet socket and no descriptor is left');
    await until(async () => {
      const left = await server1.run(['sh', '-c', 'ps -eo args | grep -E "[t]cpdump|[n]etyard capture"']);
      return left.stdout === '';
    }, 'no tcpdump and no capture runs');
  };

  test('a container: text as tcpdump shows it, as many packets as asked for, and the counts', async () => {
    const { ended } = await capture('web', 'icmp', '-c', '4');
    await ping('192.168.11.1');
    const { status, stdout, stderr } = await ended;
    const echo = (from: string, to: string, what: string): string =>
      `\\d\\d:\\d\\d:\\d\\d\\.\\d{6} IP ${from} > ${to}: ICMP echo ${what}, id \\d+, seq \\d+, length 64\\n`;
    const both = echo('192.168.11.2', '192.168.11.1', 'request') + echo('192.168.11.1', '192.168.11.2', 'reply');
    assert.match(stdout, new RegExp(`^(${both}){2}$`));
    assert.match(stderr, /^listening on eth0 of container web \([0-9a-f]{12}\), link-type EN10MB \(Ethernet\), /);
    assert.match(stderr, /\n4 packets captured\n4 packets received by filter\n0 packets dropped by kernel\n$/);
    assert.equal(status, 0);
    await nothingIsLeft();
  });

  test('a network: what passes its bridge, into a file with names in it', async () => {
    const { child, ended } = await capture('bridge', '-w', '/tmp/bridge.pcapng', 'icmp', 'and', 'not', 'arp');
    await ping('192.168.11.1');
    child.kill('SIGINT');
    const { status, stderr, stdout } = await ended;
    assert.deepEqual([status, stdout], [0, '']);
    assert.match(stderr, /\n4 packets captured\n/);
    const shown = await server1.sh('tcpdump -nn -r /tmp/bridge.pcapng 2>&1');
    assert.match(shown, /IP 192\.168\.11\.2 > 192\.168\.11\.1: ICMP echo request/);
    const id = await server1.docker('network', 'inspect', '-f', '{{slice .Id 0 12}}', 'bridge');
    const texts = await server1.sh("tr -c '[:print:]' '\\n' < /tmp/bridge.pcapng; rm /tmp/bridge.pcapng");
    for (const wanted of [`docker0 of network bridge (${id})`, 'icmp and not arp', 'docker0', 'Netyard ', 'web'])
      assert.ok(texts.includes(wanted), wanted);
    await nothingIsLeft();
  });

  test('a bridge shows what passes between its containers; -i names another link of a container', async () => {
    await server1.docker('run', '-d', '--name', 'other', 'netyard-test', 'sleep', '10000');
    const bridge = await capture('bridge', 'icmp', '-c', '2');
    const address = await server1.docker('inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'other');
    await ping(address, 1);
    assert.match((await bridge.ended).stdout, new RegExp(`IP 192\\.168\\.11\\.2 > ${address}: ICMP echo request`));
    await server1.docker('rm', '-f', 'other');
    const loopback = await capture('web', '-i', 'lo', '-c', '2', 'icmp');
    await ping('127.0.0.1', 1);
    const { stdout, stderr } = await loopback.ended;
    assert.match(stdout, /IP 127\.0\.0\.1 > 127\.0\.0\.1: ICMP echo request/);
    assert.match(stderr, /^listening on lo of container web/);
    await nothingIsLeft();
  });

  test('the uplink: packets between containers of two hosts, with their own addresses', async () => {
    const { ended } = await capture('uplink', 'icmp', '-c', '2');
    await ping('192.168.12.2');
    const { stdout, stderr } = await ended;
    assert.match(stdout, /IP 192\.168\.11\.2 > 192\.168\.12\.2: ICMP echo request/);
    assert.match(stdout, /IP 192\.168\.12\.2 > 192\.168\.11\.2: ICMP echo reply/);
    assert.match(stderr, /^listening on ens33, the uplink,/);
  });

  test('-w - into a pipe, whose reader may leave', async () => {
    const line = `${netyard} capture web -w - icmp -c 2 | tcpdump -nn -r - icmp`;
    const { ended } = await start('sh', '-c', line);
    await ping('192.168.11.1');
    assert.match((await ended).stdout, /ICMP echo request.*\n.*ICMP echo reply/);
    const leaving = await start('sh', '-c', `${netyard} capture web icmp | head -n 1`);
    await ping('192.168.11.1', 3);
    await ping('192.168.11.1', 3);
    assert.equal((await leaving.ended).stdout.split('\n').length, 2);
    await nothingIsLeft();
  });

  test('a bad filter: the words of the compiler, and nothing was started', async () => {
    const { status, stderr, stdout } = await server1.tryNetyard('capture', 'web', '-w', '/tmp/x', 'icmp', 'port', '7');
    const own = await server1.run(['tcpdump', '-d', '-y', 'EN10MB', 'icmp', 'port', '7']);
    const words = own.stderr.trim().split('\n').at(-1)?.replace('tcpdump: ', '') ?? '';
    assert.ok(words !== '' && stderr === `Error response from daemon: ${words}\n`, `${stderr} is not ${words}`);
    assert.deepEqual([status, stdout], [1, '']);
    assert.notEqual((await server1.run(['test', '-e', '/tmp/x'])).status, 0);
    await nothingIsLeft();
  });

  const refusals: [string[], RegExp][] = [
    [['nobody'], /No such container or network: nobody\na target is a container, a network, or uplink/],
    [['web', '-i', 'eth7'], /container web has no interface eth7\nname one with -i: lo, eth0/],
    [['host'], /network host has no interface of its own/],
    [['web', '-c', '0'], /invalid argument "0" for "-c, --count" flag/],
    [['web', '-w', '/nowhere/file'], /^invalid output path: directory "\/nowhere" does not exist\n$/],
    [
      ['web', '-c', '1', '-w', '/dev/full'],
      /^listening on eth0 .*\ncannot write \/dev\/full: no space left on device\n$/,
    ],
    [['web', '-w', '/tmp'], /^cannot write \/tmp: is a directory\n$/],
    [['server1/web'], /No such peer: server1\nrun `netyard peer ls` .* without a host\n$/],
    [['nope/foo'], /No such peer: nope\n/],
    [['server2/nobody'], /server2: No such container or network: nobody/],
    [['server2/web', 'icmp port 7'], /server2: illegal qualifier of 'port'|server2: .*(qualifier|syntax)/],
  ];
  test('what cannot be captured', async (t) => {
    for (const [args, message] of refusals)
      await t.test(args.join(' '), async () => {
        const { status, stderr } = await server1.tryNetyard('capture', ...args);
        assert.match(stderr, message);
        assert.ok(status === 1 || status === 125, `status ${status}`);
      });
    await nothingIsLeft();
  });

  test("Ctrl-C on a terminal ends it; so does the terminal's end", async () => {
    const typed = server1.start(['script', '-qec', `exec ${netyard} capture web icmp`, '/dev/null'], { stdin: '' });
    let shown = '';
    typed.stdout?.on('data', (chunk) => {
      shown += chunk;
    });
    await until(() => shown.includes('listening on '), 'it listens');
    await ping('192.168.11.1');
    await until(() => shown.split('ICMP echo').length > 4, 'all four packets are shown as they come');
    typed.stdin?.write('\x03');
    const [status] = (await once(typed, 'close')) as [number];
    assert.equal(status, 0);
    assert.match(shown, /4 packets captured\r\n4 packets received by filter\r\n0 packets dropped by kernel\r\n$/);
    await nothingIsLeft();
    const hung = server1.start(['script', '-qec', `exec ${netyard} capture web icmp`, '/dev/null'], { stdin: '' });
    const seen = once(hung.stdout as NodeJS.ReadableStream, 'data');
    await seen;
    hung.kill('SIGKILL');
    await nothingIsLeft();
  });

  test('a killed client leaves nothing', async () => {
    for (const args of [
      ['web', 'icmp'],
      ['uplink', '-w', '/dev/null'],
    ]) {
      const { child, ended } = await capture(...args);
      const open = await sockets();
      assert.notEqual(open.split('\n')[0], before0.split('\n')[0], 'a packet socket while it captures');
      child.kill('SIGKILL');
      await ended;
      await nothingIsLeft();
    }
  });

  test('a container that stops in the middle ends it, and its namespace goes', async () => {
    const untouched = await takeInventory(server1);
    await server1.docker('run', '-d', '--name', 'short', 'netyard-test', 'sleep', '10000');
    const { ended } = await capture('short', 'icmp');
    await server1.docker('rm', '-f', 'short');
    const { status, stderr } = await ended;
    assert.match(stderr, /0 packets captured\n.*\n.*\neth0 of container short .*: The interface disappeared\n$/);
    assert.equal(status, 1);
    await until(async () => (await takeInventory(server1))['links'] === untouched['links'], 'no link is left');
    assert.equal((await takeInventory(server1))['namespaces'], untouched['namespaces']);
    await nothingIsLeft();
  });

  test('HOST/NAME: on a peer, through its API', async () => {
    const { ended } = await capture('server2/web', 'icmp', '-c', '2');
    await ping('192.168.12.2');
    const { status, stdout, stderr } = await ended;
    assert.match(stdout, /IP 192\.168\.11\.2 > 192\.168\.12\.2: ICMP echo request/);
    assert.match(stderr, /^listening on eth0 of container web \([0-9a-f]{12}\)/);
    assert.equal(status, 0);
    const onUplink = await capture('server2/uplink', 'icmp', 'and', 'host', '192.168.11.2');
    await ping('192.168.12.2');
    onUplink.child.kill('SIGINT');
    const counted = await onUplink.ended;
    assert.match(counted.stderr, /\n4 packets captured\n4 packets received by filter\n/);
    const killed = await capture('server2/bridge');
    killed.child.kill('SIGKILL');
    await killed.ended;
    await nothingIsLeft();
    const there = async (): Promise<boolean> =>
      (await server2.sh('tail -n +2 /proc/net/packet | wc -l')).trim() === '0';
    await until(there, 'no packet socket is left on the peer');
  });

  test('a peer without an API: a clear error', async () => {
    const { stderr, status } = await server2.tryNetyard('capture', 'server1/web');
    assert.match(stderr, /peer server1 has no API to capture through\n.*--api https:/);
    assert.equal(status, 1);
  });

  test('a killed daemon ends it; nothing is left', async () => {
    const { ended } = await capture('web', 'icmp');
    await server1.sh('kill -9 $(cat /run/netyard/netyard.pid)');
    const { status, stderr } = await ended;
    assert.match(stderr, /\n0 packets captured\nthe connection to the daemon was lost\n$/);
    assert.equal(status, 1);
    assert.equal((await server1.sh('tail -qn +2 /proc/net/packet | wc -l')).trim(), '0');
    await server1.restartDaemon();
    const again = await capture('web', 'icmp', '-c', '2');
    await ping('192.168.11.1');
    assert.equal((await again.ended).status, 0);
  });
});
