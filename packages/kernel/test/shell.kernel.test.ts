/** The printed script creates the same state as `apply`. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type KernelObject, type KernelPlan, openKernel, printCommands, printShell } from '@netyard/kernel';
import { inFreshHost } from '@netyard/testkit';

const host = inFreshHost(import.meta.url);
const sh = (script: string): string => execFileSync('sh', [], { input: script, encoding: 'utf8' });
const folder = mkdtempSync(join(tmpdir(), 'netyard-shell-'));
process.once('exit', () => rmSync(folder, { recursive: true }));

const ns = '/run/netns/c1';
const outside = join(folder, 'pinned');
const plan: KernelPlan = {
  owner: 'container c1',
  objects: [
    { kind: 'sysctl', key: 'net.ipv4.ip_forward', value: '1' },
    {
      kind: 'nft-table',
      family: 'ip',
      name: 'netyard',
      body: 'map m {\n  type inet_proto . inet_service : ipv4_addr . inet_service;\n}\nchain c {\n  type filter hook forward priority 0;\n  tcp dport 80 accept\n}',
    },
    { kind: 'bridge', name: 'ny0', mac: '02:42:00:00:00:01', mtu: 1400, owner: 'network bridge', up: true },
    { kind: 'address', link: 'ny0', prefix: '172.17.0.1/16', broadcast: '172.17.255.255' },
    { kind: 'netns', path: ns },
    { kind: 'netns', path: outside },
    { kind: 'link-state', ns, name: 'lo', up: true },
    {
      kind: 'veth',
      name: 'ny1',
      ...{ master: 'ny0', owner: "container it's", hairpin: true, isolated: true, mtu: 1400, up: true },
      peer: { ns, name: 'eth0', mac: '02:42:ac:11:00:02', up: true },
    },
    { kind: 'veth', ns, name: 'back', up: true, peer: { name: 'forth', up: true } },
    { kind: 'bridge', name: 'ny2', up: true },
    { kind: 'veth', name: 'trunk', master: 'ny0', up: true, peer: { name: 'uplink', master: 'ny2', up: true } },
    { kind: 'veth', ns: outside, name: 'far', up: true, peer: { ns: outside, name: 'off', up: false } },
    { kind: 'address', ns, link: 'eth0', prefix: '172.17.0.2/16', broadcast: '172.17.255.255' },
    { kind: 'address', ns, link: 'eth0', prefix: 'fd00::2/64' },
    { kind: 'address', ns: outside, link: 'far', prefix: '10.9.0.1/24' },
    { kind: 'route', ns, to: 'default', via: '172.17.0.1' },
    { kind: 'route', ns, to: 'default', via: 'fd00::1' },
    { kind: 'route', ns, to: '10.0.0.0/8', via: 'fd00::9', link: 'eth0', metric: 7, table: 100 },
    { kind: 'route', ns, to: '10.7.0.0/16', via: '192.0.2.1', link: 'eth0', onlink: true, source: '172.17.0.2' },
    { kind: 'neighbour', ns, link: 'eth0', address: '172.17.0.1', mac: '02:42:00:00:00:01' },
    { kind: 'neighbour-proxy', ns, link: 'eth0', address: 'fd00::7', protocol: 78 },
    {
      kind: 'vxlan',
      name: 'ny-vxlan',
      ...{ id: 28281, port: 4789, local: '172.17.0.1', mac: '02:42:0a:00:00:01', mtu: 1350, owner: 'tunnel', up: true },
    },
    { kind: 'fdb', link: 'ny-vxlan', mac: '02:42:0a:00:00:02', remote: '10.0.0.2' },
    { kind: 'neighbour', link: 'ny-vxlan', address: '10.0.0.2', mac: '02:42:0a:00:00:02' },
    { kind: 'route', to: '10.44.0.0/16', via: '10.0.0.2', link: 'ny-vxlan', onlink: true, protocol: 78 },
    { kind: 'vxlan', ns: outside, name: 'x0', id: 5, port: 8472, learning: true, up: false },
    { kind: 'sysctl', ns, key: 'net.ipv4.ip_local_port_range', value: '1024 2048' },
    { kind: 'nft-table', ns, family: 'inet', name: 'inner', body: 'set s { type ifname; }' },
    { kind: 'nft-element', ns, family: 'inet', table: 'inner', set: 's', key: '"eth0"' },
    {
      kind: 'nft-element',
      family: 'ip',
      table: 'netyard',
      set: 'm',
      key: 'tcp . 80',
      value: '172.17.0.2 . 80',
      comment: 'c1 80/tcp',
    },
    {
      kind: 'file',
      path: join(folder, 'new/hosts'),
      content: "127.0.0.1\tlocalhost\n172.17.0.2\tc1 $(id) it's\n",
      mode: 0o640,
    },
    { kind: 'file', path: join(folder, 'new/hostname'), content: 'no newline' },
  ],
};

/** The state without random MACs, link-local addresses and states that settle later. */
function dump(): string[] {
  const text = sh(`
    for ns in /proc/self/ns/net ${ns} ${outside}; do
      echo "== $ns"
      nsenter --net=$ns ip -o link
      nsenter --net=$ns ip -o address
      nsenter --net=$ns ip route show table all
      nsenter --net=$ns ip -6 route show table all
      nsenter --net=$ns ip neighbour show nud permanent
      nsenter --net=$ns ip neighbour show proxy
      nsenter --net=$ns bridge -d link
      nsenter --net=$ns bridge fdb | grep dst
      nsenter --net=$ns ip -d link show type vxlan | grep 'vxlan id'
      nsenter --net=$ns nft list ruleset
      nsenter --net=$ns sysctl net.ipv4.ip_forward net.ipv4.ip_local_port_range
    done
    cd ${folder}/new; ls -l | cut -c1-10; cat hosts hostname`);
  const noise =
    /^\d+: |@if\d+|@\w+| linkdown|<[^>]*>|state \w+|link-netnsid \d+|link-netns \S+|link\/ether (?!02:42)\S+/g;
  return text
    .split('\n')
    .filter((line) => !/fe80|ff00|multicast/.test(line))
    .map((line) => line.replace(noise, '').trim())
    .sort();
}

async function removeAll(kernel: ReturnType<typeof openKernel>): Promise<void> {
  await kernel.remove(plan);
  sh(`sysctl -qw net.ipv4.ip_forward=0; rm -rf ${folder}/new`);
}

test('explain | sh on an empty host creates what apply creates, and apply then finds no difference', host, async () => {
  const kernel = openKernel();
  sh(`mkdir ${folder}/new`);
  await kernel.apply(plan);
  const applied = dump();
  await removeAll(kernel);
  sh(printShell(plan));
  assert.deepEqual(dump(), applied);
  assert.deepEqual((await kernel.apply(plan)).operations, []);
  await removeAll(kernel);
  kernel.close();
});

test('the commands that replace a table keep its elements, as apply does', host, async () => {
  const kernel = openKernel();
  const table = (body: string): KernelObject => ({
    ...{ kind: 'nft-table', ns, family: 'ip', name: 'own', body, formerSets: { s: 'old_s' } },
  });
  const former = `set old_s { type ipv4_addr; counter; }
    set same { type ipv4_addr . inet_service; flags interval; }
    set other { type ipv4_addr; }
    map m { type inet_service : ipv4_addr; }`;
  const objects = [table(former.replace('old_s', 's').replace('other { type ipv4_addr', 'other { type ipv6_addr'))];
  const many = Array.from(
    { length: 40 },
    (_, index) => `${8000 + index} : 10.0.0.${index + 1} comment "it's }, ${index}"`,
  );
  const fill = async (): Promise<void> => {
    await kernel.remove({ owner: 'own', objects });
    await kernel.apply({ owner: 'own', objects: [table(former)] });
    sh(`nsenter --net=${ns} nft -f - <<'NFT'
add element ip own old_s { 10.0.0.1 counter packets 5 bytes 420 comment "a", 10.0.0.2 comment "type b" }
add element ip own same { 10.1.0.0/16 . 80-90 comment "c" }
add element ip own other { 10.0.0.1 }
add element ip own m { ${many.map((text) => text.replace(/ : (\S+) (.*)/, ' $2 : $1')).join(', ')} }
NFT`);
  };
  const listing = (): string => sh(`nsenter --net=${ns} nft list table ip own`);
  sh('ip netns add c1');
  await fill();
  const { operations } = await kernel.apply({ owner: 'own', objects }, { dryRun: true });
  assert.deepEqual(
    operations.map(({ action }) => action),
    ['change'],
  );
  await kernel.apply({ owner: 'own', objects });
  const applied = listing();
  assert.match(
    applied,
    /10\.0\.0\.1 counter packets 5 bytes 420 comment "a"[\s\S]*8039 comment "it's }, 39" : 10\.0\.0\.40/,
  );
  await fill();
  sh(['set -e', ...operations.flatMap(printCommands)].join('\n'));
  assert.equal(listing(), applied);
  assert.deepEqual((await kernel.apply({ owner: 'own', objects })).operations, []);
  sh('ip netns delete c1');
  kernel.close();
});

test('the commands of changes and deletions have their effect', host, async () => {
  const kernel = openKernel();
  sh(printShell(plan));
  const vandalism = `ip link set ny1 down nomaster; ip -n c1 link set eth0 mtu 1300; ip link set ny0 mtu 1300
    ip -n c1 route replace default via 172.17.0.9; echo x > ${folder}/new/hosts
    ip -n c1 neighbour replace 172.17.0.1 lladdr 02:00:00:00:00:99 dev eth0 nud permanent
    ip link set ny-vxlan type vxlan local 10.0.0.77; ip link set ny-vxlan mtu 1200
    bridge fdb replace 02:42:0a:00:00:02 dev ny-vxlan dst 10.0.0.66
    nft 'delete element ip netyard m { tcp . 80 }; add element ip netyard m { tcp . 80 : 1.2.3.4 . 5 }'
    nft 'add table ip netyard { comment "other"; }' ; sysctl -qw net.ipv4.ip_forward=0`;
  sh(vandalism);
  const { operations } = await kernel.apply(plan, { dryRun: true });
  assert.ok(operations.length >= 9);
  sh(['set -e', ...operations.flatMap(printCommands)].join('\n'));
  assert.deepEqual((await kernel.apply(plan)).operations, []);
  const removal = await kernel.remove(plan, { dryRun: true });
  sh(['set -e', ...removal.operations.flatMap(printCommands)].join('\n'));
  const gone = await kernel.observe(plan.objects.filter((object: KernelObject) => object.kind !== 'sysctl'));
  assert.deepEqual(new Set(gone.map(({ state }) => state)), new Set(['absent']));
  kernel.close();
});
