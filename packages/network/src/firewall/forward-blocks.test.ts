/** What drops a bridge's packets in other programs' forward chains: jumps, conditions, verdict maps, iptables-legacy. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseChains } from '@netyard/kernel';
import { findBlocks, selectForeignChains } from './foreign.ts';
import { describeBlock, type ForwardBlock, findForwardBlocks } from './forward-blocks.ts';
import { parseLegacyTables } from './legacy-rules.ts';

const chain = (name: string, ...lines: string[]): string =>
  `\tchain ${name} { # handle 1\n${lines.map((line, index) => `\t\t${line} # handle ${index + 2}\n`).join('')}\t}\n`;

/** A base chain with these rules, and other chains of its table. */
const find = (policy: string, rules: readonly string[], ...others: string[]): ForwardBlock[] => {
  const base = `\tchain FORWARD { # handle 1\n\t\ttype filter hook forward priority filter; policy ${policy};\n`;
  const listing = `table ip filter {\n${base}${chain('', ...rules)
    .split('\n')
    .slice(1)
    .join('\n')}${others.join('')}}\n`;
  return findBlocks(selectForeignChains(parseChains(listing)), ['docker0']);
};
const texts = (...found: Parameters<typeof find>): string[] => find(...found).map(describeBlock);

const drops = (reason: string): string => `ip filter FORWARD drops what docker0 forwards (${reason})`;
const mayDrop = (rule: string): string => `ip filter FORWARD may drop: ${rule} (packets of docker0)`;

const cases: [string, Parameters<typeof find>, string[]][] = [
  [
    'a drop in a chain that is jumped to',
    ['accept', ['counter jump X'], chain('X', 'drop')],
    [drops('rule "drop" of chain X')],
  ],
  [
    'a drop in a chain that is gone to',
    ['accept', ['goto X'], chain('X', 'reject')],
    [drops('rule "reject" of chain X')],
  ],
  [
    'a drop two jumps away',
    ['accept', ['jump X'], chain('X', 'jump Y'), chain('Y', 'oifname "docker0" drop')],
    [drops('rule "oifname "docker0" drop" of chain Y')],
  ],
  ['a conditional drop', ['accept', ['tcp dport 80 counter drop']], [mayDrop('tcp dport 80 drop')]],
  [
    'a conditional drop in a chain that is jumped to',
    ['accept', ['jump X'], chain('X', 'ip saddr 192.0.2.9 drop')],
    [mayDrop('ip saddr 192.0.2.9 drop of chain X')],
  ],
  [
    'a conditional jump to a chain that drops',
    ['accept', ['iifname "eth0" jump X'], chain('X', 'drop')],
    [mayDrop('drop of chain X')],
  ],
  [
    'a verdict map',
    ['accept', ['iifname vmap { "docker0" : goto X, "eth7" : accept }'], chain('X', 'drop')],
    [drops('rule "drop" of chain X')],
  ],
  ['a named verdict map', ['accept', ['ip saddr vmap @zones']], [mayDrop('ip saddr vmap @zones')]],
  ['a jump to a chain that was not read', ['accept', ['jump X']], [mayDrop('jump X')]],
  ['a queue', ['accept', ['queue to 0']], [mayDrop('queue to 0')]],
  ['a target that nft cannot print', ['accept', ['xt target "REJECT"']], [drops('rule "xt target "REJECT""')]],
  [
    'a drop of established connections',
    ['accept', ['ct state established drop']],
    [mayDrop('ct state established drop')],
  ],
  ['a drop that logs with flags', ['accept', ['log prefix "no" flags all drop']], [drops('rule "drop"')]],
  ['a wildcard', ['accept', ['iifname "docker*" drop']], [drops('rule "iifname "docker*" drop"')]],
  [
    'the other direction',
    ['accept', ['iifname != "docker0" oifname "docker0" drop']],
    [drops('rule "iifname != "docker0" oifname "docker0" drop"')],
  ],
  ['a policy after a jump that returns', ['drop', ['jump X'], chain('X', 'return', 'accept')], [drops('policy drop')]],
  ['a policy after a goto', ['drop', ['goto X', 'accept'], chain('X')], [drops('policy drop')]],
];
for (const [what, listing, expected] of cases) {
  test(`${what} is found`, () => assert.deepEqual(texts(...listing), expected));
}

const harmless: [string, Parameters<typeof find>][] = [
  ['an accept before it', ['drop', ['jump X'], chain('X', 'iifname "docker0" accept', 'oifname "docker0" accept')]],
  ['an accept of new connections', ['drop', ['ct state established,related,new accept']]],
  ['an accept map', ['drop', ['iifname vmap { "docker0" : accept }', 'oifname { "docker0", "x" } accept']]],
  ['a drop of invalid packets', ['accept', ['ct state invalid counter drop']]],
  ['a drop for another interface', ['accept', ['iifname "eth7" oifname "docker1" drop', 'ip6 saddr ::1 drop']]],
  [
    "another engine's isolation",
    ['accept', ['iifname "docker1" oifname != "docker1" jump X'], chain('X', 'oifname "docker1" drop')],
  ],
  ['a log target', ['accept', ['xt target "LOG"', 'log prefix "drop "']]],
  ['a chain that nothing jumps to', ['accept', ['counter'], chain('X', 'drop')]],
];
for (const [what, listing] of harmless) {
  test(`${what} is no block`, () => assert.deepEqual(texts(...listing), []));
}

test('a long list of conditional rules is summarized', () => {
  const rules = Array.from({ length: 20 }, (_one, index) => `ip saddr 192.0.2.${index} drop`);
  const found = texts('accept', rules);
  assert.equal(found.length, 5);
  assert.match(found[4] ?? '', /may drop: ip saddr 192\.0\.2\.4 drop, and 15 more rules/);
});

test('the fix names the commands', () => {
  const [policy] = find('drop', []);
  assert.equal(
    policy?.fix,
    `start the daemon without --foreign-firewall=false, or accept the bridge at the head of that chain: nft 'insert rule ip filter FORWARD iifname "docker0" accept'; nft 'insert rule ip filter FORWARD oifname "docker0" accept'`,
  );
  const [conditional] = find('accept', ['jump X'], chain('X', 'counter', 'tcp dport 80 drop'));
  assert.match(conditional?.fix ?? '', /: nft delete rule ip filter X handle 3$/);
});

const legacy = (...rules: string[]): string => {
  const [policy = 'ACCEPT', ...lines] = rules;
  const head = `# Generated\n*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ${policy} [0:0]\n:X - [0:0]\n`;
  return `${head}${lines.join('\n')}\nCOMMIT\n# Completed\n`;
};
const legacyBlocks = (...rules: string[]): ForwardBlock[] =>
  findForwardBlocks(parseLegacyTables(legacy(...rules)), ['docker0']);

test('rules of iptables-legacy are analysed like those of nf_tables', () => {
  const found = (...rules: string[]): string[] => legacyBlocks(...rules).map(describeBlock);
  const name = 'iptables-legacy filter FORWARD';
  const [first, second] = ['-A FORWARD -i docker0 -j ACCEPT', '-A FORWARD -o docker0 -j ACCEPT'];
  assert.deepEqual(found('DROP'), [`${name} drops what docker0 forwards (policy drop)`]);
  assert.deepEqual(found('DROP', first, second), []);
  assert.deepEqual(found('ACCEPT', '-A INPUT -j DROP', '-A FORWARD -m conntrack --ctstate INVALID -j DROP'), []);
  assert.deepEqual(
    found('ACCEPT', '-A FORWARD -j X', '-A X ! -i docker0 -o docker0 -j REJECT --reject-with icmp-port-unreachable'),
    [
      `${name} drops what docker0 forwards (rule "! -i docker0 -o docker0 -j REJECT --reject-with icmp-port-unreachable" of chain X)`,
    ],
  );
  assert.deepEqual(
    found('ACCEPT', '-A FORWARD ! -s 192.0.2.9/32 -i docker0 -m comment --comment "a -j ACCEPT" -j DROP'),
    [`${name} may drop: ! -s 192.0.2.9/32 -i docker0 -m comment --comment "a -j ACCEPT" -j DROP (packets of docker0)`],
  );
  assert.deepEqual(found('ACCEPT', '-A FORWARD -i eth+ -j LOG --log-prefix "DROP "', '-A FORWARD -m socket -g X'), []);
  assert.deepEqual(found('ACCEPT', '-A FORWARD -m socket -g X', '-A X -j DROP'), [
    `${name} may drop: -j DROP of chain X (packets of docker0)`,
  ]);
});

test('the fix for iptables-legacy uses its own command', () => {
  assert.match(legacyBlocks('DROP')[0]?.fix ?? '', /: iptables-legacy -t filter -I FORWARD -i docker0 -j ACCEPT; /);
  const [conditional] = legacyBlocks('ACCEPT', '-A FORWARD -j X', '-A X -p tcp --dport 80 -j DROP');
  assert.match(conditional?.fix ?? '', /: iptables-legacy -t filter -D X -p tcp --dport 80 -j DROP$/);
});
