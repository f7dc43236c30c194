/** `netyard capture` on containers, networks, uplinks and peers leaves nothing behind. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { type Certificates, makeCertificates } from './support/certificates.ts';
import { cannotRun } from './support/engines.ts';
import { type CommandResult, collect, openHosts, type TestHost, until } from './support/host.ts';
import { takeInventory, untilInventory } from './support/leftovers.ts';

const netyard = join(import.meta.dirname, '../bin/netyard');
const addresses = { server1: '172.16.2.101', server2: '172.16.2.102' };

describe('packet captures', { skip: cannotRun('netyard') }, () => {
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
    const peer = ['--address', '172.16.2.102', '--subnet', '192.168.12.0/24'];
    await server1.netyard('peer', 'add', 'server2', ...peer, ...withFiles);
    await server2.netyard('peer', 'add', 'server1', '--address', '172.16.2.101', '--subnet', '192.168.11.0/24');
  });
  after(async () => {
    await server1.close();
    certificates.remove();
  });

  /** Starts a command that runs a capture. Resolves when the capture has started. */
  async function start(...command: string[]): Promise<{ child: ChildProcess; ended: Promise<CommandResult> }> {
    const child = server1.start(command);
    const ended = collect(child);
    const started = new Promise<void>((resolve) => {
      let text = '';
      const read = (chunk: string): void => {
        text += chunk;
        if (text.includes('listening on ')) resolve();
      };
      child.stderr?.on('data', read);
      child.stdout?.on('data', read);
    });
    const early = ended.then(({ stderr }) => assert.fail(`the capture did not start: ${stderr}`));
    await Promise.race([started, early]);
    early.catch(() => undefined);
    return { child, ended };
  }
  const capture = (...args: string[]) => start(netyard, 'capture', ...args);
  const ping = (address: string, count = 2): Promise<string> =>
    server1.docker('exec', 'web', 'ping', '-c', String(count), '-i', '0.1', '-W', '5', address);

  /** Counts packet sockets of the host and of its container, and the daemon's descriptors other than files. */
  const sockets = async (): Promise<string> => {
    const daemon = '/proc/$(cat /run/netyard/netyard.pid)';
    const container = `/proc/$(docker inspect -f '{{.State.Pid}}' web)`;
    return await server1.sh(
      // A descriptor may be closed while they are listed; readlink skips it.
      `tail -qn +2 /proc/net/packet ${container}/net/packet | wc -l; readlink ${daemon}/fd/* | awk '!/^\\// { n += 1 } END { print n + 0 }'`,
    );
  };
  let baseline = '';
  beforeEach(async () => {
    baseline ||= await sockets();
  });
  const assertNothingLeft = async (): Promise<void> => {
    const [packetSockets, descriptors] = baseline.split('\n').map(Number);
    await until(async () => {
      const now = (await sockets()).split('\n').map(Number);
      return now[0] === packetSockets && (now[1] ?? 0) <= (descriptors ?? 0) + 2;
    }, 'no packet socket and no descriptor is left');
    await until(async () => {
      const left = await server1.run(['sh', '-c', 'ps -eo args | grep -E "[t]cpdump|[n]etyard capture"']);
      return left.stdout === '';
    }, 'no tcpdump and no capture runs');
  };

  test('a capture of a container prints packets like tcpdump, stops after -c packets and prints counts', async () => {
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
    await assertNothingLeft();
  });

  test('a capture of a network writes packets of its bridge to a file that names interfaces and containers', async () => {
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
    for (const expected of [`docker0 of network bridge (${id})`, 'icmp and not arp', 'docker0', 'Netyard ', 'web'])
      assert.ok(texts.includes(expected), expected);
    await assertNothingLeft();
  });

  test('a capture of a bridge has packets between its containers; -i selects another interface of a container', async () => {
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
    await assertNothingLeft();
  });

  test('a capture of the uplink has packets between containers of two hosts, with the containers’ addresses', async () => {
    const { ended } = await capture('uplink', 'icmp', '-c', '2');
    await ping('192.168.12.2');
    const { stdout, stderr } = await ended;
    assert.match(stdout, /IP 192\.168\.11\.2 > 192\.168\.12\.2: ICMP echo request/);
    assert.match(stdout, /IP 192\.168\.12\.2 > 192\.168\.11\.2: ICMP echo reply/);
    assert.match(stderr, /^listening on ens33, the uplink,/);
  });

  test('-w - writes to a pipe and stops when its reader exits', async () => {
    const line = `${netyard} capture web -w - icmp -c 2 | tcpdump -nn -r - icmp`;
    const { ended } = await start('sh', '-c', line);
    await ping('192.168.11.1');
    assert.match((await ended).stdout, /ICMP echo request.*\n.*ICMP echo reply/);
    const closing = await start('sh', '-c', `${netyard} capture web icmp | head -n 1`);
    // The command notices the closed pipe at the next packet.
    let hasEnded = false;
    const ending = closing.ended.finally(() => {
      hasEnded = true;
    });
    while (!hasEnded) await ping('192.168.11.1', 3);
    assert.equal((await ending).stdout.split('\n').length, 2);
    await assertNothingLeft();
  });

  test('an invalid filter is rejected with the message of the filter compiler', async () => {
    const { status, stderr, stdout } = await server1.tryNetyard('capture', 'web', '-w', '/run/x', 'icmp', 'port', '7');
    const own = await server1.run(['tcpdump', '-d', '-y', 'EN10MB', 'icmp', 'port', '7']);
    const message = own.stderr.trim().split('\n').at(-1)?.replace('tcpdump: ', '') ?? '';
    assert.ok(message !== '' && stderr === `Error response from daemon: ${message}\n`, `${stderr} is not ${message}`);
    assert.deepEqual([status, stdout], [1, '']);
    assert.notEqual((await server1.run(['test', '-e', '/run/x'])).status, 0);
    await assertNothingLeft();
  });

  const rejections: [string[], RegExp][] = [
    [['absent'], /No such container or network: absent\na target is a container, a network, or uplink/],
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
    [['server2/absent'], /server2: No such container or network: absent/],
    [['server2/web', 'icmp port 7'], /server2: illegal qualifier of 'port'|server2: .*(qualifier|syntax)/],
  ];
  test('unknown targets and invalid options are rejected', async (t) => {
    for (const [args, message] of rejections)
      await t.test(args.join(' '), async () => {
        const { status, stderr } = await server1.tryNetyard('capture', ...args);
        assert.match(stderr, message);
        assert.ok(status === 1 || status === 125, `status ${status}`);
      });
    await assertNothingLeft();
  });

  test('a capture ends on Ctrl-C and when its terminal closes', async () => {
    const typed = server1.start(['script', '-qec', `exec ${netyard} capture web icmp`, '/dev/null'], { stdin: '' });
    let shown = '';
    typed.stdout?.on('data', (chunk) => {
      shown += chunk;
    });
    await until(() => shown.includes('listening on '), 'the capture started');
    await ping('192.168.11.1');
    await until(() => shown.split('ICMP echo').length > 4, 'all four packets are printed at once');
    typed.stdin?.write('\x03');
    const [status] = (await once(typed, 'close')) as [number];
    assert.equal(status, 0);
    assert.match(shown, /4 packets captured\r\n4 packets received by filter\r\n0 packets dropped by kernel\r\n$/);
    await assertNothingLeft();
    const hung = server1.start(['script', '-qec', `exec ${netyard} capture web icmp`, '/dev/null'], { stdin: '' });
    const seen = once(hung.stdout as NodeJS.ReadableStream, 'data');
    await seen;
    hung.kill('SIGKILL');
    await assertNothingLeft();
  });

  test('a killed client leaves no capture on the host', async () => {
    for (const args of [
      ['web', 'icmp'],
      ['uplink', '-w', '/dev/null'],
    ]) {
      const { child, ended } = await capture(...args);
      const open = await sockets();
      assert.notEqual(open.split('\n')[0], baseline.split('\n')[0], 'the capture has a packet socket');
      child.kill('SIGKILL');
      await ended;
      await assertNothingLeft();
    }
  });

  test('a capture ends when its container is removed, and does not keep the namespace', async () => {
    const untouched = await takeInventory(server1);
    await server1.docker('run', '-d', '--name', 'short', 'netyard-test', 'sleep', '10000');
    const { ended } = await capture('short', 'icmp');
    await server1.docker('rm', '-f', 'short');
    const { status, stderr } = await ended;
    assert.match(stderr, /0 packets captured\n.*\n.*\neth0 of container short .*: The interface disappeared\n$/);
    assert.equal(status, 1);
    await untilInventory(server1, untouched, ['links', 'namespaces']);
    await assertNothingLeft();
  });

  test('HOST/NAME captures on a peer through its API', async () => {
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
    await assertNothingLeft();
    const isEnded = async (): Promise<boolean> =>
      (await server2.sh('tail -n +2 /proc/net/packet | wc -l')).trim() === '0';
    await until(isEnded, 'no packet socket is left on the peer');
  });

  test('a capture on a peer without an API is rejected', async () => {
    const { stderr, status } = await server2.tryNetyard('capture', 'server1/web');
    assert.match(stderr, /peer server1 has no API to capture through\n.*--api https:/);
    assert.equal(status, 1);
  });

  test('a capture ends when the daemon is killed, and leaves nothing', async () => {
    const { ended } = await capture('web', 'icmp');
    await server1.killDaemon();
    const { status, stderr } = await ended;
    assert.match(stderr, /\n0 packets captured\nthe connection to the daemon was lost\n$/);
    assert.equal(status, 1);
    const packetSockets = (): Promise<string> => server1.sh('tail -qn +2 /proc/net/packet | wc -l');
    await until(async () => (await packetSockets()).trim() === '0', 'no packet socket is left');
    await server1.restartDaemon();
    const again = await capture('web', 'icmp', '-c', '2');
    await ping('192.168.11.1');
    assert.equal((await again.ended).status, 0);
  });
});
