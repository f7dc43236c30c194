/** Tests that the table of the version before, whose sets had other names, is replaced without losing elements. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { openKernel } from '@netyard/kernel';
import { addNeighbour, addUplink, ask, askBriefly, inFreshHost, pings, serve, sh } from '@netyard/testkit';
import type { SandboxState } from '../src/index.ts';
import { Echo } from './echo-client.ts';
import { Testbed } from './testbed.ts';

const host = inFreshHost(import.meta.url);
const neighbour = '/run/netns/neighbour';

/** Sets and chains: current name, name in the version before. */
const renamed: readonly [string, string][] = [
  ['hairpin', 'themselves'],
  ['link_allow', 'link_holes'],
  ['icc_bridges', 'open_bridges'],
  ['ip_forward_enabled', 'switched_on'],
  ['peer_ingress', 'peer_paths'],
  ['peer_egress', 'peer_targets'],
  ['peer_ingress_24', 'peer_paths_24'],
  ['peer_egress_24', 'peer_targets_24'],
  ['mss_clamp', 'fit'],
  ['established', 'known'],
  ['source_nat', 'source'],
  ['no_nat', 'untranslated'],
  ['tunnel_outer', 'tunnel_packet'],
  ['tunnel_inner', 'tunnel_content'],
];

const formerText = (listing: string): string =>
  renamed.reduce(
    (text, [name, former]) => text.replace(new RegExp(`(set |chain |@|goto |jump )${name}\\b`, 'g'), `$1${former}`),
    listing,
  );

/** Replaces the table by one like that of the version before. */
function installFormerTable(): void {
  const text = formerText(sh('nft list table ip netyard')).replace(/sha256:[0-9a-f]+/, 'sha256:former');
  sh(`nft -f - <<'END'\ndelete table ip netyard\n${text}\nEND`);
}

const list = (): string => sh('nft -s list table ip netyard; nft -s list table bridge netyard');

const reportWithinMs = 10_000;

/**
 * The changes of each nftables transaction while `work` runs, as `nft monitor` prints them. Undefined if it missed some:
 * nft 1.0.6 crashes at times (`utils.c:38: Memory allocation failure`), or reports nothing more, while several namespaces
 * change their tables.
 */
async function recordTransactions(work: () => Promise<void>): Promise<string[] | undefined> {
  const monitor = spawn('nft', ['monitor'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(monitor, 'close');
  let [output, errors] = ['', ''];
  monitor.stdout.on('data', (chunk) => {
    output += chunk;
  });
  monitor.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  const reports = async (text: string, command: string): Promise<boolean> => {
    for (const deadline = Date.now() + reportWithinMs; Date.now() < deadline && monitor.exitCode === null; ) {
      sh(command);
      if (output.includes(text)) return true;
      await pause(20);
    }
    return false;
  };
  try {
    const begun = await reports('delete table ip probe', 'nft add table ip probe && nft delete table ip probe');
    await work();
    const complete = begun && (await reports('add table ip last', 'nft add table ip last; nft delete table ip last'));
    return complete && errors === '' ? output.split(/^# new generation.*$/m) : undefined;
  } finally {
    monitor.kill();
    await ended;
  }
}

for (const icc of [true, false]) {
  describe(`the table of the version before, with icc=${icc}`, host, () => {
    const kernel = openKernel();
    const testbed = new Testbed({ kernel, settings: { icc } });
    let web: SandboxState & { containerId: string };
    let app: SandboxState & { containerId: string };
    let address = '';

    before(async () => {
      sh('sysctl -qw net.ipv4.ip_forward=0'); // so that the daemon enables it, and records that it did
      addUplink();
      addNeighbour('neighbour', 9);
      sh('ip -n neighbour address add 192.168.12.2/32 dev lo; ip -n neighbour address add 192.168.16.2/32 dev lo');
      sh('ip -n neighbour route add 172.17.0.0/16 via 192.0.2.1');
      await testbed.networks.start([]);
      const ports = [
        { protocol: 'tcp' as const, containerPort: 80, hostPort: 8801 },
        { protocol: 'tcp' as const, containerPort: 82, hostPort: 8802 },
      ];
      web = await testbed.run('web', { ports });
      app = await testbed.run('app', { links: ['web:store'] });
      address = web.endpoints[0]?.addresses.v4?.address ?? '';
      await testbed.networks.addPeer({
        ...{ name: 'server2', address: '192.0.2.9', subnets: ['192.168.12.0/24', '192.168.16.0/22'] },
      });
      await serve(web.netnsPath, 'tcp', 80, 'web');
      await serve(web.netnsPath, 'tcp', 81, 'unpublished');
      await serve(web.netnsPath, 'tcp', 82, 'echo', { program: 'EXEC:cat' });
      sh(`nft add element ip netyard peers '{ 10.99.0.0/16 comment "set by the administrator" }'`);
    });
    after(async () => {
      await testbed.close();
      kernel.close();
      sh('ip netns delete neighbour; ip link delete n-neighbour 2>/dev/null || true; ip link delete up0');
      sh('ip link delete docker0; nft flush ruleset');
    });

    const fromPeer = (source: string, port: number): string => ask(neighbour, 'tcp', address, port, `,bind=${source}`);

    test('is replaced in one transaction that keeps all elements and their counters', async () => {
      assert.equal(fromPeer('192.168.12.2', 80), 'web 192.168.12.2');
      assert.equal(fromPeer('192.168.16.2', 80), 'web 192.168.16.2');
      const packets = async () => (await testbed.networks.peer('server2')).packets;
      const echo = new Echo(neighbour, '192.0.2.1', 8802);
      await echo.answers();
      const desired = list();
      await testbed.networks.close();
      const counted = await packets();
      assert.ok(counted.in > 4n && counted.out > 4n, `${counted.in} ${counted.out}`);
      const replaceFormerTable = (): Promise<string[] | undefined> => {
        installFormerTable();
        assert.match(sh('nft list table ip netyard'), /set switched_on \{[^}]*elements = /);
        return recordTransactions(async () => {
          await testbed.open({ icc }).start([...testbed.containers.keys()]);
        });
      };
      let transactions = await replaceFormerTable();
      for (let attempt = 1; transactions === undefined && attempt < 10; attempt += 1) {
        await testbed.networks.close();
        transactions = await replaceFormerTable();
      }
      assert.ok(transactions, 'nft monitor reports all changes in one of ten attempts');
      const replacing = transactions.filter((text) => /^(?:add|delete) (?:table|chain|set) ip netyard\b/m.test(text));
      assert.equal(replacing.length, 1, transactions.join('\n\n'));
      for (const set of [
        'hairpin',
        'ip_forward_enabled',
        'peer_ingress',
        'peer_egress_24',
        icc ? 'icc_bridges' : 'link_allow',
      ])
        assert.match(replacing[0] ?? '', new RegExp(`^add element ip netyard ${set} `, 'm'));
      assert.equal(list(), desired);
      const kept = await packets();
      assert.ok(kept.in >= counted.in && kept.out >= counted.out, `${kept.in} ${kept.out}`);
      await echo.answers();
      await echo.end();
    });

    test('leaves the same ports open and closed', async () => {
      assert.equal(ask(neighbour, 'tcp', '192.0.2.1', 8801), 'web 192.0.2.9');
      assert.match(ask(app.netnsPath, 'tcp', address, 80), /^web /);
      assert.equal(fromPeer('192.168.12.2', 80), 'web 192.168.12.2');
      assert.equal(fromPeer('192.168.16.2', 80), 'web 192.168.16.2');
      assert.ok(pings(neighbour, address, '-I', '192.168.12.2'));
      assert.equal(askBriefly(neighbour, 'tcp', address, 81), '');
    });
  });
}
