/** nft(8) text: what we print, what we parse, and what is rejected. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import type { NftElementObject, NftRuleObject, NftTableObject } from '../../desired.ts';
import { parseChains } from './chain.ts';
import { nftError } from './context.ts';
import { parseElements, printAdd, printDelete, printElement } from './element.ts';
import { checkRule, printRule } from './rule.ts';
import { digestComment, printKeptElements, printTable } from './table.ts';

const element = (set: string, key: string, more: Partial<NftElementObject> = {}): NftElementObject => ({
  ...{ kind: 'nft-element', family: 'ip', table: 't', set, key },
  ...more,
});

test('elements of one set share one command', () => {
  const elements = [
    element('m', 'tcp . 80', { value: '172.17.0.2 . 80', comment: 'web 1' }),
    element('s', '"eth0"'),
    element('m', 'udp . 53', { value: '172.17.0.3 . 53' }),
  ];
  assert.equal(
    printAdd(elements),
    'add element ip t m { tcp . 80 comment "web 1" : 172.17.0.2 . 80, udp . 53 : 172.17.0.3 . 53 }\nadd element ip t s { "eth0" }\n',
  );
  assert.equal(
    printDelete(elements),
    'delete element ip t m { tcp . 80, udp . 53 }\ndelete element ip t s { "eth0" }\n',
  );
  assert.equal(printAdd([]), '');
});

test('the output of nft is parsed: wrapped lines, comments with braces, IPv6, verdicts, counters', () => {
  const listing = `table inet t {
	map m {
		type inet_proto . inet_service : ipv6_addr . inet_service
		elements = { tcp . 80 comment "a, } b : c" : fd00::2 . 80,
			     udp . 53 : fd00::3 . 53 }
	}
	map v {
		type ifname : verdict
		elements = { "eth0" : jump c, "a : b" : accept }
	}
	set n {
		type ipv4_addr
		counter
		elements = { 1.2.3.4 counter packets 1 bytes 2 comment "x", 10.0.0.0/8, 1.1.1.1 timeout 1m expires 3s }
	}
	set none {
		type ipv4_addr
	}
}`;
  assert.deepEqual(parseElements(listing), [
    { key: 'tcp . 80', value: 'fd00::2 . 80', comment: 'a, } b : c' },
    { key: 'udp . 53', value: 'fd00::3 . 53' },
    { key: '"eth0"', value: 'jump c' },
    { key: '"a : b"', value: 'accept' },
    { key: '1.2.3.4', comment: 'x', packets: 1n, bytes: 2n },
    { key: '10.0.0.0/8' },
    { key: '1.1.1.1' },
  ]);
});

test('text that would end its braces, quotes or line is rejected', () => {
  const bad: NftElementObject[] = [
    element('s', '1.1.1.1 }'),
    element('s', '1.1.1.1; flush ruleset'),
    element('s', '1.1.1.1\nflush ruleset'),
    element('s', '"eth0'),
    element('s', ''),
    element('s', '1.1.1.1', { value: '{ 1 }' }),
    element('s', '1.1.1.1', { comment: 'a"b' }),
    element('s', '1.1.1.1', { comment: 'x'.repeat(128) }),
    element('s; flush ruleset', '1.1.1.1'),
    element('s', '1.1.1.1', { table: '{' }),
  ];
  for (const one of bad)
    assert.throws(
      () => printAdd([one]),
      (error) => isNetyardError(error, 'invalid'),
    );
  assert.equal(printElement({ key: '"a{b}"', comment: 'x'.repeat(127) }), `"a{b}" comment "${'x'.repeat(127)}"`);
});

test('a table is readable, and its digest ignores indentation', () => {
  const table: NftTableObject = {
    kind: 'nft-table',
    family: 'ip',
    name: 'netyard',
    body: `
      set s {
        type ipv4_addr;
      }

      chain c {
      }
    `,
  };
  const comment = digestComment(table.body);
  assert.match(comment, /^netyard sha256:[0-9a-f]{32}$/);
  assert.equal(
    printTable(table),
    `table ip netyard {\n\tcomment "${comment}"\n\tset s {\n\t  type ipv4_addr;\n\t}\n\n\tchain c {\n\t}\n}\n`,
  );
  assert.equal(digestComment(table.body.replaceAll(/^ +/gm, '\t')), comment);
  assert.notEqual(digestComment(table.body.replace('ipv4', 'ipv6')), comment);
});

test('elements are kept, with counters, for sets that keep their type and at least a former name', () => {
  const former = `table ip t {
	set stays {
		type ipv4_addr . inet_service
		elements = { 1.1.1.1 . 80 comment "a }" }
	}
	set changes {
		type ipv4_addr
		elements = { 1.1.1.1 }
	}
	set goes {
		type ipv4_addr
		elements = { 1.1.1.1 }
	}
	set before {
		type ipv4_addr
		elements = { 1.1.1.1 counter packets 2 bytes 168 comment "x" }
	}
	set before_but_other {
		type ipv4_addr
		elements = { 1.1.1.1 }
	}
}`;
  const body = `
    set stays { type ipv4_addr . inet_service; }
    set changes { type ipv6_addr; }
    map new { type mark : verdict; }
    set after { type ipv4_addr; }
    set after_but_other { type ipv6_addr; }`;
  const formerSets = { after: 'before', after_but_other: 'before_but_other', stays: 'absent' };
  const table: NftTableObject = { kind: 'nft-table', family: 'ip', name: 't', body };
  const stays = 'add element ip t stays { 1.1.1.1 . 80 comment "a }" }\n';
  assert.equal(printKeptElements(table, former), stays);
  assert.equal(
    printKeptElements({ ...table, formerSets }, former),
    `${stays}add element ip t after { 1.1.1.1 counter packets 2 bytes 168 comment "x" }\n`,
  );
});

test('chains are parsed from a listing: hooks, policies, rules with handles and comments', () => {
  const listing = `table ip filter {
	set s {
		type ipv4_addr
		elements = { 1.1.1.1 }
	}
	chain FORWARD { # handle 1
		comment "mine"
		type filter hook forward priority filter; policy drop;
		iifname "docker0"  counter accept comment "netyard: a # handle 9" # handle 8
		 counter log prefix "x } " # handle 7
	}
	chain other {
		accept
	}
}
table bridge t {
	chain f {
		type filter hook forward priority filter; policy accept;
	}
}`;
  assert.deepEqual(parseChains(listing), [
    {
      ...{ family: 'ip', table: 'filter', chain: 'FORWARD', hook: 'forward', policy: 'drop' },
      rules: [
        { text: 'iifname "docker0" counter accept', handle: 8, comment: 'netyard: a # handle 9' },
        { text: 'counter log prefix "x } "', handle: 7 },
      ],
    },
    { family: 'ip', table: 'filter', chain: 'other', rules: [{ text: 'accept' }] },
    { family: 'bridge', table: 't', chain: 'f', hook: 'forward', policy: 'accept', rules: [] },
  ]);
});

test('a rule for a foreign chain that would end its quotes or line is rejected', () => {
  const rule: NftRuleObject = {
    ...{ kind: 'nft-rule', family: 'ip', table: 'filter', chain: 'FORWARD' },
    ...{ rule: 'iifname "docker0" accept', comment: 'netyard: from docker0' },
  };
  const text = 'iifname "docker0" accept comment "netyard: from docker0"';
  assert.equal(printRule(rule), `insert rule ip filter FORWARD ${text}`);
  assert.equal(printRule({ ...rule, position: 'last' }), `add rule ip filter FORWARD ${text}`);
  assert.equal(printRule({ ...rule, position: { before: 7 } }), `insert rule ip filter FORWARD position 7 ${text}`);
  const bad: Partial<NftRuleObject>[] = [
    { rule: 'accept; flush ruleset' },
    { rule: 'accept\nflush ruleset' },
    { rule: '' },
    { comment: 'a"b' },
    { comment: '' },
    { comment: 'x'.repeat(128) },
    { chain: 'a b' },
    { table: '{' },
  ];
  for (const part of bad)
    assert.throws(
      () => checkRule({ ...rule, ...part }),
      (error) => isNetyardError(error, 'invalid'),
    );
});

test('error messages of nft become errors with errno, message and line', () => {
  const complaint =
    'Error: Could not process rule: No such file or directory\nadd element ip t x { 1 }\n               ^\n';
  const error = nftError(complaint, { operation: 'nft add element', object: 'ip t x' });
  assert.equal(error.errnoName, 'ENOENT');
  assert.equal(error.message, 'nft add element ip t x: ENOENT: No such file or directory (add element ip t x { 1 })');
  assert.equal(nftError('internal:0:0-0: Error: syntax error', { operation: 'nft', object: 'x' }).errnoName, 'EINVAL');
});
