/** Each object and the equivalent commands that create, change and delete it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import type { IpvlanObject, KernelObject, KernelOperation, MacvlanObject, NftTableObject } from '../desired.ts';
import { digestComment, printKeptElements, printReplacement, printTable } from '../netlink/nft/table.ts';
import { printCommands, printOperation, printShell, quoteWord } from './shell.ts';

const ns = '/run/netns/r1';
const veth: KernelObject = {
  kind: 'veth',
  name: 'ny1',
  ...{ mtu: 1450, owner: "container it's", master: 'docker0', hairpin: true, up: true },
  peer: { ns, name: 'eth0', mac: '02:42:ac:11:00:02', up: true },
};

const vxlan: KernelObject = {
  kind: 'vxlan',
  ...{ name: 'ny-vxlan', id: 28281, port: 4789, local: '172.16.2.101', mac: '02:6e:ac:10:02:65', mtu: 1450, up: true },
};
const macvlan: MacvlanObject = {
  ...{ kind: 'macvlan', ns, name: 'eth0', parent: 'up0', mode: 'bridge', mac: '02:42:c0:00:02:01', up: true },
};
const ipvlan: IpvlanObject = {
  ...{ kind: 'ipvlan', ns, name: 'eth0', parent: 'up0', mode: 'l3', flag: 'vepa', mtu: 1400, up: true },
};
const vlan: KernelObject = {
  ...{ kind: 'vlan', name: 'eth0.10', parent: 'eth0', id: 10, owner: 'netyard: VLAN 10 of eth0', up: true },
};
const dummy: KernelObject = { kind: 'dummy', name: 'dm-1', owner: 'netyard: parent', up: true };
const vxlan6: KernelObject = { ...vxlan, name: 'ny-vxlan6', local: '2001:db8::1', mac: '06:01:02:03:04:05', mtu: 1430 };
const fdb: KernelObject = { kind: 'fdb', link: 'ny-vxlan', mac: '02:6e:0a:00:00:02', remote: '10.0.0.2' };

const cases: [KernelOperation['action'], KernelObject, string][] = [
  ['create', { kind: 'netns', path: ns }, 'ip netns add r1'],
  ['create', { kind: 'netns', path: '/x/y' }, 'mkdir -p /x && touch /x/y && unshare --net=/x/y true'],
  ['delete', { kind: 'netns', path: ns }, 'ip netns delete r1'],
  ['delete', { kind: 'netns', path: '/x/y' }, 'umount /x/y && rm /x/y'],
  [
    'create',
    { kind: 'bridge', name: 'docker0', mac: '02:42:00:00:00:01', mtu: 1400, owner: 'network bridge', up: true },
    "ip link add name docker0 address 02:42:00:00:00:01 mtu 1400 type bridge && ip link set dev docker0 alias 'network bridge' up",
  ],
  ['change', { kind: 'bridge', ns, name: 'b', mtu: 1400, up: false }, 'ip -n r1 link set dev b mtu 1400 down'],
  [
    'delete',
    { kind: 'bridge', ns: '/proc/7/ns/net', name: 'b', up: true },
    'nsenter --net=/proc/7/ns/net ip link delete b',
  ],
  [
    'create',
    veth,
    [
      'ip link add name ny1 mtu 1450 type veth peer name eth0 address 02:42:ac:11:00:02 mtu 1450 netns r1',
      "ip link set dev ny1 alias 'container it'\\''s' master docker0",
      'bridge link set dev ny1 hairpin on',
      'ip link set dev ny1 up',
      'ip -n r1 link set dev eth0 up',
    ].join(' && '),
  ],
  ['delete', veth, 'ip link delete ny1'],
  [
    'create',
    { kind: 'veth', name: 'a', master: 'br0', up: true, peer: { name: 'b', master: 'br1', up: true } },
    'ip link add name a type veth peer name b && ip link set dev a master br0 && ip link set dev a up && ip link set dev b master br1 up',
  ],
  [
    'create',
    { kind: 'veth', ns, name: 'a', up: false, peer: { name: 'b', up: false } },
    'ip -n r1 link add name a type veth peer name b netns /proc/$$/ns/net && ip -n r1 link set dev a down && ip link set dev b down',
  ],
  [
    'create',
    { kind: 'veth', ns, name: 'a.1', disableIpv6: true, up: true, peer: { ns, name: 'b', up: true } },
    [
      'ip -n r1 link add name a.1 type veth peer name b',
      'nsenter --net=/run/netns/r1 sysctl -q -w net.ipv6.conf.a/1.disable_ipv6=1',
      'ip -n r1 link set dev a.1 up && ip -n r1 link set dev b up',
    ].join(' && '),
  ],
  [
    'change',
    { kind: 'veth', name: 'a', disableIpv6: true, up: true, peer: { name: 'b', up: true } },
    'ip link set dev a up && ip link set dev b up',
  ],
  [
    'create',
    vxlan,
    [
      'ip link add name ny-vxlan address 02:6e:ac:10:02:65 mtu 1450 type vxlan id 28281 local 172.16.2.101 dstport 4789 nolearning',
      'ip link set dev ny-vxlan up',
    ].join(' && '),
  ],
  [
    'change',
    vxlan,
    [
      'ip link set dev ny-vxlan type vxlan local 172.16.2.101',
      'ip link show dev ny-vxlan | grep -qF 02:6e:ac:10:02:65 || ip link set dev ny-vxlan address 02:6e:ac:10:02:65',
      'ip link set dev ny-vxlan mtu 1450 up',
    ].join(' && '),
  ],
  [
    'create',
    macvlan,
    'ip link add link up0 name eth0 netns r1 address 02:42:c0:00:02:01 type macvlan mode bridge && ip -n r1 link set dev eth0 up',
  ],
  [
    'change',
    macvlan,
    'ip -n r1 link set dev eth0 type macvlan mode bridge && ip -n r1 link set dev eth0 address 02:42:c0:00:02:01 up',
  ],
  [
    'create',
    { ...macvlan, mode: 'passthru' },
    'ip link add link up0 name eth0 netns r1 type macvlan mode passthru && ip -n r1 link set dev eth0 address 02:42:c0:00:02:01 up',
  ],
  ['delete', macvlan, 'ip -n r1 link delete eth0'],
  [
    'create',
    ipvlan,
    'ip link add link up0 name eth0 netns r1 mtu 1400 type ipvlan mode l3 vepa && ip -n r1 link set dev eth0 up',
  ],
  ['change', ipvlan, 'ip -n r1 link set dev eth0 type ipvlan mode l3 vepa && ip -n r1 link set dev eth0 mtu 1400 up'],
  ['delete', ipvlan, 'ip -n r1 link delete eth0'],
  [
    'create',
    { ...macvlan, ns: '/run/netns/r1', owner: 'netyard: host' },
    "ip link add link up0 name eth0 netns r1 address 02:42:c0:00:02:01 type macvlan mode bridge && ip -n r1 link set dev eth0 alias 'netyard: host' up",
  ],
  [
    'create',
    vlan,
    "ip link add link eth0 name eth0.10 type vlan id 10 && ip link set dev eth0.10 alias 'netyard: VLAN 10 of eth0' up",
  ],
  ['change', vlan, "ip link set dev eth0.10 alias 'netyard: VLAN 10 of eth0' up"],
  ['delete', vlan, 'ip link delete eth0.10'],
  ['create', dummy, "ip link add name dm-1 type dummy && ip link set dev dm-1 alias 'netyard: parent' up"],
  ['delete', { ...dummy, ns }, 'ip -n r1 link delete dm-1'],
  [
    'create',
    vxlan6,
    [
      'ip link add name ny-vxlan6 address 06:01:02:03:04:05 mtu 1430 type vxlan id 28281 local 2001:db8::1 dstport 4789 nolearning',
      'ip link set dev ny-vxlan6 up',
    ].join(' && '),
  ],
  [
    'create',
    { ...fdb, link: 'ny-vxlan6', remote: '2001:db8::2' },
    'bridge fdb add 02:6e:0a:00:00:02 dev ny-vxlan6 dst 2001:db8::2',
  ],
  ['create', fdb, 'bridge fdb add 02:6e:0a:00:00:02 dev ny-vxlan dst 10.0.0.2'],
  ['change', fdb, 'bridge fdb replace 02:6e:0a:00:00:02 dev ny-vxlan dst 10.0.0.2'],
  ['delete', { ...fdb, ns }, 'bridge -n r1 fdb delete 02:6e:0a:00:00:02 dev ny-vxlan'],
  ['change', { kind: 'link-state', ns, name: 'lo', up: true }, 'ip -n r1 link set dev lo up'],
  [
    'create',
    { kind: 'address', ns, link: 'eth0', prefix: '172.17.0.2/16', broadcast: '172.17.255.255' },
    'ip -n r1 address add 172.17.0.2/16 broadcast 172.17.255.255 dev eth0',
  ],
  ['create', { kind: 'address', link: 'eth0', prefix: 'fd00::2/64' }, 'ip address add fd00::2/64 dev eth0 nodad'],
  ['delete', { kind: 'address', link: 'eth0', prefix: 'fd00::2/64' }, 'ip address delete fd00::2/64 dev eth0'],
  ['create', { kind: 'route', ns, to: 'default', via: '172.17.0.1' }, 'ip -n r1 route add default via 172.17.0.1'],
  [
    'delete',
    { kind: 'route', to: '192.168.12.0/24', via: '172.16.2.102', link: 'ens33', protocol: 78 },
    'ip route delete 192.168.12.0/24 via 172.16.2.102 dev ens33 proto 78',
  ],
  ['create', { kind: 'route', ns, to: 'default', via: 'fd00::1' }, 'ip -6 -n r1 route add default via fd00::1'],
  [
    'change',
    {
      kind: 'route',
      to: '10.0.0.0/8',
      via: 'fe80::1',
      link: 'eth0',
      source: '10.1.1.1',
      metric: 5,
      table: 100,
      onlink: true,
    },
    'ip route replace 10.0.0.0/8 via inet6 fe80::1 dev eth0 src 10.1.1.1 metric 5 table 100 onlink',
  ],
  [
    'delete',
    { kind: 'route', to: '192.168.12.0/24', via: '172.16.2.102' },
    'ip route delete 192.168.12.0/24 via 172.16.2.102',
  ],
  [
    'create',
    { kind: 'neighbour', ns, link: 'eth0', address: '172.17.0.1', mac: '02:42:00:00:00:01' },
    'ip -n r1 neighbour replace 172.17.0.1 lladdr 02:42:00:00:00:01 dev eth0 nud permanent',
  ],
  [
    'delete',
    { kind: 'neighbour-proxy', link: 'up0', address: 'fd00::7', protocol: 78 },
    'ip neighbour delete proxy fd00::7 dev up0',
  ],
  ['change', { kind: 'sysctl', key: 'net.ipv4.ip_forward', value: '1' }, 'sysctl -q -w net.ipv4.ip_forward=1'],
  [
    'create',
    { kind: 'sysctl', ns, key: 'net.ipv4.ip_local_port_range', value: '1024 2048' },
    "nsenter --net=/run/netns/r1 sysctl -q -w 'net.ipv4.ip_local_port_range=1024 2048'",
  ],
  [
    'create',
    { kind: 'nft-table', family: 'ip', name: 'netyard', body: 'chain c { }' },
    'nft add table ip netyard { … }',
  ],
  ['delete', { kind: 'nft-table', family: 'ip', name: 'netyard', body: '' }, 'nft delete table ip netyard'],
  [
    'create',
    {
      kind: 'nft-element',
      family: 'ip',
      table: 't',
      set: 'm',
      key: 'tcp . 80',
      value: '172.17.0.2 . 80',
      comment: 'web',
    },
    `nft add element ip t m '{ tcp . 80 comment "web" : 172.17.0.2 . 80 }'`,
  ],
  [
    'change',
    { kind: 'nft-element', family: 'ip', table: 't', set: 's', key: '1.1.1.1' },
    "nft delete element ip t s '{ 1.1.1.1 }' && nft add element ip t s '{ 1.1.1.1 }'",
  ],
  ['create', { kind: 'file', path: '/x/hosts', content: 'text\n' }, 'cat > /x/hosts'],
  ['delete', { kind: 'file', path: '/x/hosts', content: '' }, 'rm -f /x/hosts'],
];

for (const [action, object, expected] of cases) {
  test(`${action} ${object.kind}: ${expected.slice(0, 60)}`, () => {
    assert.equal(printOperation({ action, object }), expected);
  });
}

test('a script has readable tables, and here-documents whose delimiter does not occur in the file', () => {
  const script = printShell({
    owner: 'container nginx-3\nrm -rf /',
    objects: [
      { kind: 'nft-table', family: 'ip', name: 'netyard', body: '\n    set s {\n      type ipv4_addr;\n    }\n' },
      { kind: 'file', path: '/x/a b', content: 'one\nEOF\n', mode: 0o600 },
      { kind: 'file', path: '/x/hostname', content: "c'1" },
    ],
  });
  assert.equal(
    script,
    `#!/bin/sh
# container nginx-3 rm -rf /
set -e

nft -f - <<'NFT'
table ip netyard {
	comment "${digestComment('set s {\ntype ipv4_addr;\n}')}"
	set s {
	  type ipv4_addr;
	}
}
NFT
mkdir -p /x
cat > '/x/a b' <<'EOF_'
one
EOF
EOF_
chmod 600 '/x/a b'
printf %s 'c'\\''1' > /x/hostname
`,
  );
});

/** Executes the command that replaces a table with a stand-in for nft: it lists the former table, or prints its input. */
function replace(table: NftTableObject, listing: string): string {
  const nft = 'nft() { if [ "$1" = list ]; then printf %s "$listing"; else cat; fi; }';
  const [command = ''] = printCommands({ action: 'change', object: table });
  return execFileSync('sh', ['-c', `${nft}\n${command}`], { env: { ...process.env, listing }, encoding: 'utf8' });
}

test('the command that replaces a table keeps the elements that apply keeps', () => {
  const set = (name: string, type: string, elements: string): string =>
    `\tset ${name} {\n\t\ttype ${type}\n\t\tcounter\n\t\telements = { ${elements} }\n\t}\n`;
  const listing = [
    'table ip t {\n\tcomment "x"\n',
    set(
      'stays',
      'ipv4_addr . inet_service',
      '1.1.1.1 . 80 comment "a }",\n\t\t\t     1.1.1.2 . 81 comment "type b, & it\'s"',
    ),
    set('changes', 'ipv4_addr', '1.1.1.1'),
    set('goes', 'ipv4_addr', '1.1.1.1'),
    '\tset empty {\n\t\ttype ipv4_addr\n\t}\n',
    set('before', 'ipv4_addr', '1.1.1.1 counter packets 2 bytes 168 comment "x"'),
    set('before_but_other', 'ipv4_addr', '1.1.1.1'),
    '\tmap m {\n\t\ttype inet_service : ipv4_addr\n\t\telements = { 80 : 10.0.0.1 }\n\t}\n',
    '\tchain c {\n\t\ttype filter hook forward priority filter; policy accept;\n\t}\n}\n',
  ].join('');
  const table: NftTableObject = {
    ...{ kind: 'nft-table', family: 'ip', name: 't' },
    body: `
      set stays { type ipv4_addr . inet_service; counter; }
      set changes { type ipv6_addr; }
      set empty { type ipv4_addr; }
      set after { type ipv4_addr; counter; }
      set after_but_other { type ipv6_addr; }
      map m { type inet_service  :  ipv4_addr; }`,
    formerSets: { after: 'before', after_but_other: 'before_but_other', stays: 'absent' },
  };
  const collapse = (text: string): string => text.replace(/\s+/g, ' ');
  const expected = printReplacement(table, printTable(table)) + printKeptElements(table, listing);
  assert.equal(expected.match(/^add element/gm)?.length, 3);
  assert.equal(collapse(replace(table, listing)), collapse(expected));
  const withoutSets: NftTableObject = { ...table, body: 'chain c { }' };
  assert.equal(replace(withoutSets, listing), printReplacement(withoutSets, printTable(withoutSets)));
});

test('words are quoted when a shell would interpret them', () => {
  assert.equal(quoteWord('eth0.100'), 'eth0.100');
  for (const word of ['a b', '$HOME', '`id`', 'a;b', 'a*', "it's", '', 'ü', '~', '#']) {
    assert.match(quoteWord(word), /^'[\s\S]*'$/);
  }
});

test('the command that deletes a rule takes its comment as text, whatever it contains', () => {
  const rule = { kind: 'nft-rule', family: 'ip', table: 'filter', chain: 'FORWARD', rule: 'accept' } as const;
  for (const comment of [
    "netyard it's",
    "'; echo injected; '",
    '$(echo injected)',
    'a/e echo injected',
    '.*',
    '[x]\\1',
  ]) {
    const command = printOperation({ action: 'delete', object: { ...rule, comment } });
    // Stands for nft: lists two rules, or shows how it was called.
    const nft = `nft() { if [ "$1" = -a ]; then cat; else echo "$*"; fi; }`;
    const listing = `accept comment "other" # handle 1\naccept comment "${comment}" # handle 7\n`;
    const shown = execFileSync('sh', ['-c', `${nft}\n${command}`], { input: listing, encoding: 'utf8' });
    assert.equal(shown, 'delete rule ip filter FORWARD handle 7\n', comment);
  }
});
