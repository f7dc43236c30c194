/** Forward chains of other programs: where accept rules go, which are stale, and what cuts containers off. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseChains } from '@netyard/kernel';
import { type ForeignChains, findBlocks, findStaleRules, planForeignRules, selectForeignChains } from './foreign.ts';
import { describeBlock } from './forward-blocks.ts';

/** Chains as `nft -a -s list ruleset` prints them. */
const view = (listing: string): ForeignChains => selectForeignChains(parseChains(listing));

const forward = (policy: string, ...rules: string[]): string =>
  chain('FORWARD', `type filter hook forward priority filter; policy ${policy};`, ...rules);

const chain = (name: string, ...lines: string[]): string =>
  `table ip filter {\n\tchain ${name} { # handle 1\n${lines.map((line) => `\t\t${line}\n`).join('')}\t}\n}\n`;

const places = (listing: string): string[] =>
  planForeignRules(view(listing), ['docker0']).map(
    ({ chain: name, rule, position }) => `${name} ${rule} ${typeof position === 'object' ? position.before : position}`,
  );

const atHead = ['FORWARD iifname "docker0" accept first', 'FORWARD oifname "docker0" accept first'];
const marked = [
  'iifname "docker0" accept comment "netyard: from docker0" # handle 8',
  'oifname "docker0" counter accept comment "netyard: to docker0" # handle 9',
];

const dropping: [string, string][] = [
  ['policy drop', forward('drop')],
  ['policy drop with rules for others', forward('drop', 'iifname "eth7" counter accept # handle 3')],
  ['a last rule that drops', forward('accept', 'ct state established accept # handle 2', 'counter drop # handle 3')],
  ['a last rule that rejects', forward('accept', 'counter reject with icmp type host-prohibited # handle 3')],
  ['a jump to a chain that may drop', forward('accept', 'counter jump REJECTS # handle 3')],
  ['a verdict map', forward('accept', 'iifname vmap { "eth7" : goto other } # handle 3')],
  ['a conditional drop', forward('accept', 'ip saddr 10.0.0.0/8 drop # handle 3')],
  ['a target that nft cannot print', forward('accept', 'xt target "REJECT" # handle 3')],
];
for (const [what, listing] of dropping) {
  test(`a chain with ${what} gets both rules at its head`, () => assert.deepEqual(places(listing), atHead));
}

const harmless: [string, string][] = [
  ['no rules and policy accept', forward('accept')],
  ['rules that only accept or count', forward('accept', 'counter # handle 2', 'ip saddr 10.0.0.1 accept # handle 3')],
  ['a comment that speaks of dropping', forward('accept', 'accept comment "do not drop" # handle 2')],
  ['only our own rules', forward('accept', ...marked)],
  ['another hook', chain('INPUT', 'type filter hook input priority filter; policy drop;')],
];
for (const [what, listing] of harmless) {
  test(`a chain with ${what} is left alone`, () => assert.deepEqual(places(listing), []));
}

test('our own chain is never taken for a foreign one', () => {
  const own = forward('drop').replace('ip filter', 'ip netyard');
  assert.deepEqual(places(own), []);
  assert.deepEqual(findBlocks(view(own), ['docker0']), []);
});

test("each family's chain that drops gets its own rules", () => {
  const listing = forward('drop') + forward('drop').replace('ip filter', 'inet firewalld');
  assert.deepEqual(
    planForeignRules(view(listing), ['docker0', 'ny0']).map(({ family, table, comment }) => [family, table, comment]),
    ['ip filter', 'inet firewalld'].flatMap((table) =>
      ['from docker0', 'to docker0', 'from ny0', 'to ny0'].map((text) => [...table.split(' '), `netyard: ${text}`]),
    ),
  );
});

test('with DOCKER-USER the rules stand there, behind what the administrator wrote', () => {
  const jump = 'counter jump DOCKER-USER # handle 3';
  const user = chain('DOCKER-USER', 'ip saddr 10.0.0.1 drop # handle 5', 'counter return # handle 7');
  const inUser = ['DOCKER-USER iifname "docker0" accept 7', 'DOCKER-USER oifname "docker0" accept 7'];
  assert.deepEqual(places(forward('drop', jump) + user), inUser);
  const endless = chain('DOCKER-USER', 'ip saddr 10.0.0.1 drop # handle 5');
  assert.match(places(forward('drop', jump) + endless)[0] ?? '', /^DOCKER-USER .* last$/);
  assert.deepEqual(places(forward('drop') + user), atHead, 'not reached: nothing jumps there');
  assert.deepEqual(places(forward('drop', 'drop # handle 2', jump) + user), atHead, 'not reached: dropped before');
});

test('rules without our mark that do the same are enough', () => {
  const others = ['iifname "docker0"  counter accept # handle 5', 'oifname "docker0"  counter accept # handle 6'];
  assert.deepEqual(places(forward('drop', ...others)), []);
  assert.deepEqual(places(forward('drop', 'drop # handle 2', ...others)), atHead);
});

test('marked rules without a desired one, and those behind a drop of everything, are stale', () => {
  const stale = (listing: string): string[] => {
    const seen = view(listing);
    return findStaleRules(seen, planForeignRules(seen, ['docker0'])).map(({ comment }) => comment);
  };
  assert.deepEqual(stale(forward('drop', ...marked)), []);
  assert.deepEqual(stale(forward('drop', 'drop # handle 2', ...marked)), [
    'netyard: from docker0',
    'netyard: to docker0',
  ]);
  assert.deepEqual(stale(forward('accept', ...marked)), ['netyard: from docker0', 'netyard: to docker0']);
  const other = 'iifname "ny7" accept comment "netyard: from ny7" # handle 4';
  assert.deepEqual(stale(forward('drop', other, 'accept comment "mine" # handle 6')), ['netyard: from ny7']);
});

test('what cuts a bridge off is named; what lets both directions through is not', () => {
  const blocks = (listing: string): string[] => findBlocks(view(listing), ['docker0']).map(describeBlock);
  const name = 'ip filter FORWARD drops what docker0 forwards';
  assert.deepEqual(blocks(forward('drop')), [`${name} (policy drop)`]);
  assert.deepEqual(blocks(forward('accept')), []);
  assert.deepEqual(blocks(forward('drop', ...marked)), []);
  assert.deepEqual(blocks(forward('drop', 'counter accept # handle 4')), []);
  assert.deepEqual(blocks(forward('drop', 'iifname "docker0" accept # handle 4')), [`${name} (policy drop)`]);
  assert.deepEqual(blocks(forward('accept', 'counter drop # handle 2', ...marked)), [`${name} (rule "drop")`]);
  assert.deepEqual(blocks(forward('accept', 'log prefix "no: " counter drop # handle 2')), [`${name} (rule "drop")`]);
  const specific = 'oifname "docker0" counter drop # handle 2';
  assert.deepEqual(blocks(forward('accept', specific, ...marked)), [`${name} (rule "oifname "docker0" drop")`]);
  assert.deepEqual(blocks(forward('accept', ...marked, specific)), []);
  const jump = 'counter jump DOCKER-USER # handle 3';
  assert.deepEqual(blocks(forward('drop', jump) + chain('DOCKER-USER', ...marked, 'return # handle 7')), []);
  assert.deepEqual(blocks(forward('drop', jump) + chain('DOCKER-USER', 'return # handle 7', ...marked)), [
    `${name} (policy drop)`,
  ]);
});
