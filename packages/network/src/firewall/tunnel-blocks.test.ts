import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseChains } from '@netyard/kernel';
import { findTunnelBlocks } from './tunnel-blocks.ts';

/** Chains as `nft -a -s list ruleset` prints them: the base chain `input` of table `inet fw`, and others. */
function blocks(
  family: 'ip' | 'ip6',
  policy: string,
  rules: string[],
  others: Record<string, string[]> = {},
): string[] {
  const chain = (name: string, lines: string[]): string =>
    `\tchain ${name} { # handle 1\n${lines.map((line) => `\t\t${line}\n`).join('')}\t}\n`;
  const base = chain('input', [`type filter hook input priority filter; policy ${policy};`, ...numbered(rules)]);
  const more = Object.entries(others).map(([name, lines]) => chain(name, numbered(lines)));
  const chains = parseChains(`table inet fw {\n${base}${more.join('')}}\n`);
  const bases = chains.filter(({ hook }) => hook === 'input');
  return findTunnelBlocks(bases, chains, { family, uplinks: ['eth0'] }).map(({ chain: name, reason, fix }) => {
    assert.equal(fix, 'nft insert rule inet fw input udp dport 4789 accept');
    return `${name}: ${reason}`;
  });
}

const numbered = (rules: string[]): string[] => rules.map((rule, index) => `${rule} # handle ${index + 2}`);

const usual = [
  'ct state established,related accept',
  'iif "lo" accept',
  'ip protocol icmp accept',
  'meta l4proto ipv6-icmp accept',
  'tcp dport { 22, 80 } accept',
  'udp dport { 53, 5000-5100 } accept',
  'iifname "wg*" accept',
  'ct status dnat accept',
];

test('a chain without a rule for the tunnel drops its packets', () => {
  for (const family of ['ip', 'ip6'] as const) {
    assert.deepEqual(blocks(family, 'drop', usual), ['inet fw input: policy drop']);
    assert.deepEqual(blocks(family, 'drop', []), ['inet fw input: policy drop']);
    const rejecting = [...usual, 'ct state invalid drop', 'reject with icmpx admin-prohibited', 'accept'];
    assert.deepEqual(blocks(family, 'accept', rejecting), ['inet fw input: rule "reject with icmpx admin-prohibited"']);
    const state = ['ct state vmap { established : accept, related : accept, invalid : drop }'];
    assert.deepEqual(blocks(family, 'drop', state), ['inet fw input: policy drop']);
    const zones = {
      zone: ['tcp dport 22 ct state { new, untracked } accept', 'jump other'],
      other: ['counter return'],
    };
    assert.deepEqual(blocks(family, 'drop', ['jump zone', 'jump other'], zones), ['inet fw input: policy drop']);
  }
  assert.deepEqual(blocks('ip6', 'drop', ['ip saddr 10.0.0.0/8 accept']), ['inet fw input: policy drop']);
  assert.deepEqual(blocks('ip', 'drop', ['ip6 saddr fd00::/8 accept']), ['inet fw input: policy drop']);
});

test('a chain with any rule that may accept them is not reported', () => {
  assert.deepEqual(blocks('ip', 'accept', [...usual, 'ip saddr 192.0.2.1 drop']), []);
  for (const rule of [
    ...['accept', 'udp dport 4789 accept', 'udp dport { 53, 4000-5000 } accept', 'meta l4proto udp accept'],
    ...['iifname "eth0" accept', 'iifname "eth*" accept', 'iifname != "eth1" accept', 'ip saddr 10.0.0.0/8 accept'],
    ...['xt match "multiport" accept', 'ct state new,untracked accept', 'udp dport vmap @ports', 'jump elsewhere'],
    ...['meta l4proto { tcp, udp } th dport { 53, 4789 } accept', 'queue to 1', 'udp dport != 53 accept'],
  ])
    assert.deepEqual(blocks('ip', 'drop', [...usual, rule]), [], rule);
  const zone = { zone: ['jump services'], services: ['udp dport 4789 ct state { new, untracked } accept'] };
  assert.deepEqual(blocks('ip6', 'accept', [...usual, 'jump zone', 'reject with icmpx admin-prohibited'], zone), []);
  assert.deepEqual(blocks('ip', 'drop', ['drop', 'udp dport 4789 accept']), ['inet fw input: rule "drop"']);
});
