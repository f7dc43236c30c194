/** The journal names what other programs changed, with the repair, and what containers did; it survives the daemon. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { JournalEntry } from '@netyard/api-types';
import { cannotRun } from './support/engines.ts';
import { collect, openHost, type TestHost, until } from './support/host.ts';

const bridgeName = 'com.docker.network.bridge.name=contested0';

/** Of a kernel that does not say why it drops packets. */
const isMissing = ({ Kind, Text }: JournalEntry): boolean => Kind === 'drops' && /not recorded/.test(Text);

describe('the journal', { skip: cannotRun('netyard') }, () => {
  let host: TestHost;
  before(async () => {
    host = await openHost('netyard', { images: ['netyard-test'] });
  });
  after(() => host.close());

  const journal = async (...args: string[]): Promise<JournalEntry[]> =>
    (await host.netyard('journal', '--json', ...args))
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as JournalEntry);
  const untilEntry = async (pattern: RegExp, ...args: string[]): Promise<JournalEntry> => {
    let found: JournalEntry | undefined;
    await until(async () => {
      found = (await journal(...args)).findLast(({ Text }) => pattern.test(Text));
      return found !== undefined;
    }, `an entry with ${pattern}`);
    return found ?? assert.fail();
  };

  test('a deleted route, a changed address and a flushed table are named with their repairs', async () => {
    const began = Date.now();
    await host.sh('ip route del 172.17.0.0/16 dev docker0');
    // The subnet's route is a part of the bridge's address.
    const route = await untilEntry(
      /^address 172\.17\.0\.1\/16 on docker0 was different \(without the route to its subnet\); /,
    );
    assert.match(route.Text, /; repaired by: ip address /);
    assert.equal(route.Kind, 'repair');
    assert.equal(route.Object, 'network bridge');
    assert.ok(route.Names.includes('docker0'));
    assert.ok(Date.parse(route.Time) >= began - 1000 && Date.parse(route.Time) <= Date.now() + 1000, route.Time);
    // The daemon waits meanwhile: it finds all that the line changed, and repairs nothing between two commands.
    const atOnce = (line: string): Promise<string> =>
      host.sh(`p=$(cat /run/netyard/netyard.pid); kill -STOP $p; ${line}; r=$?; kill -CONT $p; exit $r`);
    // They are valid commands.
    await atOnce(route.Commands.join(' && '));

    await atOnce('ip address del 172.17.0.1/16 dev docker0; ip address add 10.9.9.9/24 dev docker0');
    await untilEntry(/^address 172\.17\.0\.1\/16 on docker0 was missing; repaired by: ip address /, 'docker0');

    await atOnce('nft flush table ip netyard; nft delete table ip netyard');
    const table = await untilEntry(/^nft-table ip netyard was missing; repaired by: /, 'bridge');
    assert.match(table.Commands[0] ?? '', /^nft -f - <<'NFT'\ntable ip netyard \{/);

    await host.sh('ip route add 172.17.5.0/24 dev ens33');
    const conflict = await untilEntry(/^route 172\.17\.5\.0\/24 dev ens33 takes packets to containers/, 'bridge');
    assert.equal(conflict.Kind, 'conflict');
    await host.sh('ip route del 172.17.5.0/24 dev ens33');
    await untilEntry(/^no longer so: route 172\.17\.5\.0\/24/, 'bridge');
  });

  test('a change of another program is recorded with the program, and the repair names it', async () => {
    // ip stays until its input ends, here after the entry: the name of a command that has ended cannot be read.
    const deleting = host.start(['ip', '-batch', '-'], { stdin: '' });
    const ended = collect(deleting);
    deleting.stdin?.write('address del 172.17.0.1/16 dev docker0\n');
    const change = await untilEntry(
      /^address 172\.17\.0\.1\/16 on docker0 deleted by ip \(process \d+: ip -batch -\)$/,
      'docker0',
    ).finally(() => deleting.stdin?.end());
    assert.equal((await ended).status, 0);
    assert.equal(change.Kind, 'foreign');
    assert.equal(change.Object, 'host');
    assert.ok(change.Names.includes('bridge'), change.Names.join(' '));
    await untilEntry(
      /^address 172\.17\.0\.1\/16 on docker0 was missing; repaired by: .*; deleted by ip \(process \d+: ip -batch -\)$/,
      'bridge',
    );

    await host.sh('ip route del 172.17.0.0/16 dev docker0');
    await untilEntry(
      /^route 172\.17\.0\.0\/16 dev docker0 deleted by (?:ip \(process \d+.*|process \d+, which has ended)$/,
    );
    await untilEntry(/without the route to its subnet\); .*; deleted by (?:ip|process) /, 'bridge');

    // The kernel names the program of a change to nftables, in every case.
    await host.sh('nft flush chain ip netyard forward');
    await untilEntry(/^firewall \d+ rules of ip netyard deleted by nft/, 'netyard');
    await untilEntry(/^nft-table ip netyard was different.*; \d+ rules of ip netyard deleted by nft/, 'bridge');

    // Of interfaces, the kernel does not name who changes them.
    await host.sh('ip link set docker0 mtu 1400');
    await untilEntry(/^bridge docker0 was different \(.*1400.*\); repaired by: ip link set dev docker0 /, 'bridge');
    await host.sh('ip link add other0 type bridge');
    await untilEntry(/^interface other0 added$/, 'other0');
    await host.sh('ip link del other0');
    await untilEntry(/^interface other0 deleted$/, 'other0');
    // Netyard has no part in these.
    await host.sh('iptables -I FORWARD -s 10.1.2.3 -j DROP; ip route add 10.55.0.0/16 dev ens33');
    await untilEntry(/^firewall .*\d+ rules? of ip filter added.* by iptables/, 'filter');
    await untilEntry(/^route 10\.55\.0\.0\/16 dev ens33 added by /, 'ens33');
    const own = (await journal()).filter(({ Kind, Text }) => Kind === 'foreign' && /node|netyard \(/.test(Text));
    assert.deepEqual(own, [], 'changes of Netyard are not foreign');
    await host.sh('iptables -D FORWARD -s 10.1.2.3 -j DROP; ip route del 10.55.0.0/16');
  });

  test('of a repair that is undone again and again, five are recorded, and the count when the daemon ends', async () => {
    const repairs = async (): Promise<string[]> =>
      (await journal('--since', since))
        .filter(({ Kind, Text }) => Kind === 'repair' && /10\.200\.0\.1/.test(Text))
        .map(({ Text }) => Text);
    const since = (await host.sh('date +%s.%N')).trim();
    await host.docker('network', 'create', '--subnet', '10.200.0.0/24', '-o', bridgeName, 'contested');
    const present = async (): Promise<boolean> => /10\.200/.test(await host.sh('ip address show dev contested0'));
    for (let round = 0; round < 7; round += 1) {
      await host.sh('ip address del 10.200.0.1/24 dev contested0');
      await until(present, 'the address is back');
    }
    await until(async () => (await repairs()).length === 5, 'five entries');
    await host.sh('p=$(cat /run/netyard/netyard.pid); kill $p; while kill -0 $p 2> /dev/null; do sleep 0.02; done');
    await host.restartDaemon();
    const texts = await repairs();
    assert.equal(texts.length, 6);
    assert.match(texts[5] ?? '', /^2 more times within 10 minutes: address 10\.200\.0\.1\/24/);
    await host.docker('network', 'rm', 'contested');
  });

  test('containers, ports, networks and peers are recorded, and a name selects its entries', async () => {
    await host.docker('network', 'create', 'back');
    await host.docker('run', '-d', '--name', 'web', '-p', '8801:80', 'netyard-test', 'sleep', '1000');
    await host.docker('network', 'connect', 'back', 'web');
    await host.docker('rm', '-f', 'web');
    await host.docker('network', 'rm', 'back');
    await host.netyard(
      'peer',
      'add',
      'site-b',
      '--address',
      '172.16.2.102',
      '--subnet',
      '192.168.50.0/24',
      '--via',
      'route',
    );
    await host.sh('ip route del 192.168.50.0/24');
    await untilEntry(/^route 192\.168\.50\.0\/24 .*missing/, 'site-b');
    await host.netyard('peer', 'rm', 'site-b');

    const texts = async (target: string): Promise<string[]> =>
      (await journal(target)).map(({ Object: object, Text }) => `${object}: ${Text}`);
    const web = (await texts('web')).join('\n');
    assert.match(web, /^network bridge: container web connected: 172\.17\.0\.\d+$/m);
    assert.match(web, /^container web: started: 172\.17\.0\.\d+ on bridge; 0\.0\.0\.0:8801 -> 80\/tcp/m);
    assert.match(web, /^network back: container web connected: 172\.18\.0\.\d+$/m);
    assert.match(
      web,
      /^container web: stopped with exit code 137: 172\.17\.0\.\d+ on bridge, 172\.18\.0\.\d+ on back;/m,
    );
    const back = await texts('back');
    assert.equal(back[0], 'network back: created (driver bridge)');
    assert.equal(back.at(-1), 'network back: removed (driver bridge)');
    const peer = await texts('site-b');
    assert.equal(peer[0], 'peer site-b: added: 172.16.2.102, 192.168.50.0/24');
    assert.equal(peer.at(-1), 'peer site-b: removed: 172.16.2.102, 192.168.50.0/24');
    assert.deepEqual(await journal('absent'), []);
  });

  test('the network at two times is compared as commands', async () => {
    const now = async (): Promise<string> => (await host.sh('date +%s.%N')).trim();
    const diff = async (...times: string[]): Promise<string> => await host.netyard('journal', '--diff', ...times);
    await diff(await now()); // the present state is recorded
    const first = await now();
    assert.match(await diff(first), /^# from the network of \S+ to that of \S+\n# no difference$/);
    await host.docker('run', '-d', '--name', 'kept', '-p', '8802:80', 'netyard-test', 'sleep', '1000');
    await host.sh(`ip route add 10.60.0.0/16 dev ens33; iptables -I FORWARD -s 10.1.2.3 -j DROP
      sysctl -qw net.ipv6.conf.all.forwarding=1`);
    const forth = await diff(first);
    const second = await now();
    const id = await host.docker('inspect', '-f', '{{.Id}}', 'kept');
    for (const expected of [
      /^ip route add 10\.60\.0\.0\/16 dev ens33$/m,
      /^nft (?:add|insert) rule ip filter FORWARD (?:position \d+ )?'ip saddr 10\.1\.2\.3 .*drop'$/m,
      /^sysctl -q -w net\.ipv6\.conf\.all\.forwarding=1$/m,
      new RegExp(`^ip netns add .*${id.slice(0, 12)}`, 'm'),
      /^ip link add name ny-\S+ .*type veth peer name eth0/m,
      /^ip -n \S+ address add 172\.17\.0\.\d+\/16 /m,
      /^nft add element ip netyard \S+ '\{ .*8802.*$/m,
    ])
      assert.match(forth, expected);

    // A daemon that starts again continues the record.
    await host.killDaemon();
    await host.restartDaemon();
    await host.docker('rm', '-f', 'kept');
    await host.sh(`ip route del 10.60.0.0/16; iptables -D FORWARD -s 10.1.2.3 -j DROP
      sysctl -qw net.ipv6.conf.all.forwarding=0`);
    const back = await diff(second);
    assert.match(back, /^ip route delete 10\.60\.0\.0\/16 dev ens33$/m);
    assert.match(back, /^nft delete rule ip filter FORWARD handle \d+$/m);
    assert.match(back, new RegExp(`^ip netns delete .*${id.slice(0, 12)}`, 'm'));
    assert.doesNotMatch(back, /ip link delete ny-/, 'the interface is deleted with the namespace');
    const json = JSON.parse(await host.netyard('journal', '--json', '--diff', first, second)) as { Commands: string[] };
    assert.ok(json.Commands.includes('ip route add 10.60.0.0/16 dev ens33'));

    const old = await host.tryNetyard('journal', '--diff', '2020-01-01');
    assert.notEqual(old.status, 0);
    assert.match(old.stderr, /no network state of 2020-01-01T.*: the oldest is of 20\d\d-/);
    assert.match(old.stderr, /--journal-size and --journal-age/);
    const missing = await host.tryNetyard('journal', '--diff');
    assert.match(missing.stderr, /--diff requires a time/);
    assert.equal((await host.sh(`stat -c %a ${host.dataFolder}/journal/states/* | sort -u`)).trim(), '600');
  });

  test('dropped packets are recorded with the container, its interface, and the kernel’s reason', async (t) => {
    await host.docker('run', '-d', '--name', 'lossy', 'netyard-test', 'sleep', '1000');
    const address = await host.docker('inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'lossy');
    await host.sh(`nft 'add table ip blocking; add chain ip blocking o { type filter hook output priority 0; }'
      nft add rule ip blocking o ip daddr ${address} udp dport 4001 drop`);
    // Each try sends to a port without a listener, and to one that a rule of the host blocks.
    const send = `for n in 1 2 3 4 5; do echo > /dev/udp/${address}/4000; echo > /dev/udp/${address}/4001; done; exit 0`;
    let entries: JournalEntry[] = [];
    await until(async () => {
      await host.sh(`bash -c '${send}' 2> /dev/null`);
      entries = (await journal()).filter(({ Kind }) => Kind === 'drops');
      return entries.some(({ Object: object }) => object === 'container lossy') || entries.some(isMissing);
    }, 'an entry of drops');
    const missing = entries.find(isMissing);
    if (missing) return t.skip(missing.Text);
    const inside = entries.find(({ Object: object }) => object === 'container lossy') ?? assert.fail();
    assert.match(inside.Text, /^eth0: \d+ NO_SOCKET in \d+ s$/);
    assert.ok(
      ['lossy', 'eth0', 'bridge'].every((name) => inside.Names.includes(name)),
      inside.Names.join(' '),
    );
    assert.match(await host.netyard('journal', 'lossy'), /drops {10}container lossy {2}eth0: \d+ NO_SOCKET in \d+ s/);
    const blocked = entries.find(({ Text }) => /NETFILTER_DROP/.test(Text)) ?? assert.fail();
    assert.equal(blocked.Object, 'host');
    // Nothing that counts outlives the daemon; the next one counts again.
    const objects = await host.sh('ls -l /proc/$(cat /run/netyard/netyard.pid)/fd | grep -c bpf');
    assert.equal(objects.trim(), '2', 'a map and the link to the tracepoint');
    await host.killDaemon();
    await host.sh('nft delete table ip blocking');
    await host.restartDaemon();
    await host.docker('rm', '-f', 'lossy');
  });

  test('entries survive a killed daemon; times and bad values are handled as by docker logs', async () => {
    const earlier = await journal();
    await host.killDaemon();
    await host.restartDaemon();
    assert.deepEqual((await journal()).slice(0, earlier.length), earlier);
    assert.equal((await host.sh(`stat -c %a ${host.dataFolder}/journal/*.jsonl`)).trim(), '600');
    const { Time = '' } = earlier[1] ?? {};
    const since = await journal('--since', Time);
    assert.deepEqual(since[0], earlier[1]);
    assert.deepEqual(await journal('--until', '1h'), []);
    const lines = (await host.netyard('journal', '--since', '1h')).split('\n');
    assert.match(lines[0] ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z {2}\w+/);
    const bad = await host.tryNetyard('journal', '--since', 'long ago');
    assert.notEqual(bad.status, 0);
    assert.match(bad.stderr, /failed to parse value as time or duration/);
  });
});
