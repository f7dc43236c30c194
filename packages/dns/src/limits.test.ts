/** Sizes of answers, shares of a limit, and the order of upstream servers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode, encode, type RecordType } from 'dns-packet';
import { decideAnswer, type NameSource } from './answer.ts';
import { FairBudget } from './budget.ts';
import { answers, bareAnswer, fitUdp } from './message.ts';
import { ServerHealth } from './server-health.ts';

const addresses = Array.from({ length: 100 }, (_, at) => `10.0.0.${at}`);
const names: NameSource = {
  find: (name) =>
    name === 'many' ? { addresses } : name === 'dual' ? { addresses: ['10.1.0.1', 'fd00::1'] } : undefined,
  nameOf: (address) => ({ 'fd00::1': 'dual.front', '10.1.0.9': `${'x'.repeat(64)}.front` })[address],
};

function query(type: string, name: string, udpPayloadSize?: number): Buffer {
  const opt = {
    type: 'OPT',
    name: '.',
    udpPayloadSize: udpPayloadSize ?? 0,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
  } as const;
  return encode({
    ...{ type: 'query', id: 7, questions: [{ type: type as RecordType, name }] },
    additionals: udpPayloadSize === undefined ? [] : [{ ...opt, flag_do: false, options: [] }],
  });
}

function answer(message: Buffer, transport: 'udp' | 'tcp' = 'udp') {
  const decision = decideAnswer(message, names, transport);
  assert.ok(decision.kind === 'answer');
  assert.ok(answers(decision.message, message));
  const packet = decode(decision.message);
  const data = (packet.answers ?? []).map((record) => ('data' in record ? record.data : ''));
  return { size: decision.message.length, truncated: packet.flag_tc, data };
}

test('an answer that does not fit into UDP is truncated, and complete over TCP', () => {
  const plain = answer(query('A', 'many'));
  assert.ok(plain.truncated && plain.size <= 512 && plain.data.length > 25);
  const medium = answer(query('A', 'many', 1232));
  assert.ok(medium.truncated && medium.size > 1100 && medium.size <= 1232);
  assert.equal(answer(query('A', 'many', 4096)).data.length, 100);
  const tcp = answer(query('A', 'many'), 'tcp');
  assert.deepEqual([tcp.truncated, tcp.data], [false, addresses]);
});

test('an answer has only addresses of the requested family', () => {
  assert.deepEqual(answer(query('A', 'dual')).data, ['10.1.0.1']);
  assert.deepEqual(answer(query('AAAA', 'dual')).data, ['fd00::1']);
  assert.deepEqual(answer(query('TXT', 'dual')).data, []);
  assert.deepEqual(answer(query('PTR', `1.${'0.'.repeat(27)}0.0.d.f.ip6.arpa`)).data, ['dual.front']);
  assert.deepEqual(answer(query('PTR', '9.0.1.10.in-addr.arpa')).data, [], 'its name has no form in DNS');
});

test('a forwarded answer that the client would not accept is cut to the question', () => {
  const asked = query('A', 'example.org');
  const long = Buffer.concat([bareAnswer(asked, 0), Buffer.alloc(800)]);
  const short = decode(fitUdp(long, asked));
  assert.deepEqual([short.flag_tc, short.questions?.[0]?.name], [true, 'example.org']);
  assert.equal(fitUdp(long, query('A', 'example.org', 1232)), long);
});

test('one greedy holder leaves a share to every other', () => {
  const budget = new FairBudget(100);
  const take = (holder: string): number => {
    let taken = 0;
    while (budget.take(holder)) taken += 1;
    return taken;
  };
  assert.equal(take('flood'), 50);
  assert.equal(take('one'), 25);
  assert.ok(take('two') > 0);
  budget.release('two');
  assert.ok(budget.take('two'));
  budget.release('unknown');
});

test('a server that did not answer is asked last, until one query finds that it answers again', () => {
  const health = new ServerHealth();
  assert.deepEqual(health.order(['a', 'b'], 0), ['a', 'b']);
  health.failed('a', 0);
  assert.deepEqual(health.order(['a', 'b'], 1000), ['b', 'a']);
  assert.deepEqual(health.order(['a', 'b'], 31_000), ['a', 'b'], 'one query tries it again');
  assert.deepEqual(health.order(['a', 'b'], 31_001), ['b', 'a']);
  health.answered('a');
  assert.deepEqual(health.order(['a', 'b'], 31_002), ['a', 'b']);
  health.failed('a', 0);
  assert.deepEqual(health.order(['b'], 1), ['b'], 'a server that is no longer named is forgotten');
  assert.deepEqual(health.order(['a', 'b'], 2), ['a', 'b']);
});
