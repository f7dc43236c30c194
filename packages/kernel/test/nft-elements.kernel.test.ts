/** Elements that are created and deleted without libnftables are the same as those that nft creates. */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { hasErrno, type NftElementObject, type NftFamily, openKernel } from '@netyard/kernel';
import { inFreshHost, sh } from '@netyard/testkit';
import { HashElements } from '../src/netlink/nft/hash-elements.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from '../src/netlink/socket.ts';

const host = inFreshHost(import.meta.url);

const mac = '"ny-0123456789a" . 02:42:0a:1e:00:02';

/** Declarations of sets and maps, each with keys, and values of maps. */
const sets: Readonly<Record<string, [declaration: string, key: string, value?: string]>> = {
  names: ['set names { type ifname; }', '"br-0123456789ab"'],
  pairs: ['set pairs { type ifname . ifname; }', '"br-0123456789ab" . "eth0.100"'],
  macs: ['set macs { type ifname . ether_addr; }', mac],
  four: ['set four { type ipv4_addr; }', '192.0.2.1'],
  six: ['set six { type ipv6_addr; }', '2001:db8::1'],
  sources: ['set sources { type ifname . ether_addr . ipv4_addr; }', `${mac} . 10.30.0.2`],
  sources6: ['set sources6 { type ifname . ether_addr . ipv6_addr; }', `${mac} . fd00::2`],
  allowed: [
    'set allowed { type ipv4_addr . ipv4_addr . inet_proto . inet_service; }',
    '10.1.0.2 . 10.1.0.3 . sctp . 65535',
  ],
  ports: ['map ports { type inet_proto . inet_service : ipv4_addr . inet_service; }', 'tcp . 80', '10.1.0.2 . 8080'],
  ports6: [
    'map ports6 { type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service; }',
    '::1 . udp . 53',
    'fd00::2 . 5353',
  ],
};

const element = (set: string, key: string, more: Partial<NftElementObject> = {}): NftElementObject => ({
  ...({ kind: 'nft-element', family: 'bridge', table: 'test', set, key } as const),
  comment: 'container 0123456789ab',
  ...more,
});

const all = Object.entries(sets).map(([set, [, key, value]]) =>
  element(set, key, value === undefined ? {} : { value }),
);

const addTable = (family: NftFamily = 'bridge', more = ''): void => {
  const declarations = Object.values(sets).map(([declaration]) => declaration);
  sh(`nft 'table ${family} test { ${declarations.join('\n')}\n${more}\n}'`);
};

const listed = (family: NftFamily = 'bridge'): string => sh(`nft -s list table ${family} test`);

function withHash(work: (hash: HashElements) => void): void {
  const socket = NetlinkSocket.open(NETLINK_NETFILTER);
  try {
    work(new HashElements(socket));
  } finally {
    socket.close();
  }
}

beforeEach(() => void sh('nft flush ruleset'));

test('elements of all kinds of sets and maps are those that nft adds', host, () => {
  for (const family of ['bridge', 'ip'] as const) {
    addTable(family);
    const empty = listed(family);
    for (const { set, key, value } of all)
      sh(
        `nft 'add element ${family} test ${set} { ${key} comment "container 0123456789ab"${value === undefined ? '' : ` : ${value}`} }'`,
      );
    const byNft = listed(family);
    sh(`nft delete table ${family} test`);
    addTable(family);
    const elements = all.map((one) => ({ ...one, family }));
    withHash((hash) => {
      assert.ok(hash.change('create', elements));
      assert.equal(listed(family), byNft);
      for (const { set, key } of elements) sh(`nft 'get element ${family} test ${set} { ${key} }'`);
      assert.ok(hash.change('delete', elements));
      assert.equal(listed(family), empty);
    });
  }
});

test('a rejected transaction changes nothing', host, () => {
  addTable();
  withHash((hash) => {
    assert.ok(hash.change('create', all.slice(-1)));
    const before = listed();
    assert.throws(
      () => hash.change('create', all),
      (error) => hasErrno(error, 'EEXIST'),
    );
    assert.equal(listed(), before);
    assert.throws(
      () => hash.change('delete', all),
      (error) => hasErrno(error, 'ENOENT'),
    );
    assert.equal(listed(), before);
    assert.throws(
      () => hash.change('create', [element('none', '"eth0"')]),
      (error) => hasErrno(error, 'ENOENT'),
    );
    assert.ok(hash.change('delete', all.slice(-1)), 'the socket can be used for the next transaction');
  });
});

test('hundreds of elements of one set are one transaction', host, () => {
  addTable();
  const many = Array.from({ length: 250 }, (_, index) => element('four', `10.0.${index >> 8}.${index & 255}`));
  withHash((hash) => {
    assert.ok(hash.change('create', many));
    assert.equal(sh('nft list set bridge test four').match(/container/g)?.length, many.length);
    const before = listed();
    const more = [...Array.from({ length: 150 }, (_, index) => element('four', `10.1.0.${index}`)), ...many.slice(-1)];
    assert.throws(
      () => hash.change('create', more),
      (error) => hasErrno(error, 'EEXIST'),
    );
    assert.equal(listed(), before);
    assert.ok(hash.change('delete', many));
  });
});

test('a set that another program has replaced is read again', host, () => {
  addTable();
  const four = element('four', '192.0.2.1');
  withHash((hash) => {
    assert.ok(hash.change('create', [four]));
    assert.ok(hash.change('delete', [four]));
    sh(`nft 'delete set bridge test four; add set bridge test four { type ipv4_addr; flags interval; }'`);
    assert.equal(hash.change('create', [four]), false);
    assert.doesNotMatch(listed(), /container/);
    sh(`nft 'delete set bridge test four; add set bridge test four { type ipv4_addr . inet_service; }'`);
    const [name, pair] = [element('names', '"eth1"'), element('four', '192.0.2.1 . 80')];
    assert.ok(hash.change('create', [name]));
    assert.ok(hash.change('create', [pair]));
    sh('nft add element bridge test names "{ eth2 }"');
    assert.ok(hash.change('delete', [name, pair]));
    assert.doesNotMatch(listed(), /container/);
  });
});

test('what is more than a key and a value is left to libnftables', host, () => {
  const declarations = [
    'set intervals { type ipv4_addr; flags interval; }',
    'set timeouts { type ipv4_addr; flags timeout; }',
    'set counters { type ipv4_addr; counter; }',
    'set marks { type mark; }',
    'set targets { typeof iifname . ether saddr . @th,64,128; }',
    'map verdicts { type ipv4_addr : verdict; }',
  ];
  addTable('bridge', declarations.join('\n'));
  const before = listed();
  const others = [
    ...['intervals', 'timeouts', 'counters'].map((set) => element(set, '192.0.2.1')),
    element('marks', '0x1'),
    element('targets', `${mac} . 0xfd000000000000000000000000000002`),
    element('verdicts', '192.0.2.1', { value: 'accept' }),
    element('four', '192.0.2.0/24'),
    element('four', '2001:db8::1'),
    element('four', '192.0.2.1', { value: '192.0.2.2' }),
    element('ports', 'tcp . 80'),
    element('names', '"a-name-of-sixteen"'),
    element('names', 'eth0'),
    element('pairs', '"eth0"'),
    element('allowed', '10.1.0.2 . 10.1.0.3 . tcp . http'),
    element('names', '"eth0"', { comment: 'x'.repeat(128) }),
  ];
  withHash((hash) => {
    for (const one of others) assert.equal(hash.change('create', [one]), false, `${one.set} ${one.key}`);
  });
  assert.equal(listed(), before);
});

test('a plan adds, repairs and removes them, and rolls them back', host, async () => {
  const kernel = openKernel();
  addTable();
  const empty = listed();
  const plan = { owner: 'test', objects: all };
  assert.equal((await kernel.apply(plan)).operations.length, all.length);
  const full = listed();
  assert.deepEqual((await kernel.apply(plan)).operations, []);
  sh('nft flush set bridge test macs');
  assert.equal((await kernel.apply(plan)).operations.length, 1);
  assert.equal(listed(), full);
  assert.equal((await kernel.remove(plan)).operations.length, all.length);
  assert.equal(listed(), empty);
  const failing = { kind: 'address', link: 'none', prefix: '192.0.2.1/24' } as const;
  await assert.rejects(kernel.apply({ owner: 'test', objects: [...all, failing] }));
  assert.equal(listed(), empty);
  kernel.close();
});
