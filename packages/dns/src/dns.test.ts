import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Answer, decode, encode, type Packet, RECURSION_DESIRED, type RecordType } from 'dns-packet';
import { decideAnswer } from './answer.ts';
import { answers, bareAnswer, rcodeOf, withId } from './message.ts';
import type { RemoteName } from './name.ts';
import { NameIndex } from './name-index.ts';

const named = (host: string, name: string, address: string): RemoteName => ({
  host,
  name,
  address,
  containerId: `${host}-${name}`,
});

const names = new NameIndex([
  named('server1', 'web', '192.168.11.2'),
  named('server2', 'nginx-1', '192.168.12.2'),
  named('server2', 'Db_1', '192.168.12.3'),
  named('server2', 'twice', '192.168.12.4'),
  named('server3.example.org', 'twice', '192.168.13.4'),
]);

const query = (type: string, name: string, more: Partial<Packet> = {}): Buffer =>
  encode({
    type: 'query',
    id: 4711,
    flags: RECURSION_DESIRED,
    questions: [{ type: type as RecordType, name }],
    ...more,
  });

function answered(question: Buffer): {
  rcode: number;
  records: [string, unknown][];
  packet: ReturnType<typeof decode>;
} {
  const decision = decideAnswer(question, names);
  assert.equal(decision.kind, 'answer');
  assert.ok(decision.kind === 'answer');
  const packet = decode(decision.message);
  const records = (packet.answers ?? []).map((record: Answer): [string, unknown] => [
    record.type,
    'data' in record ? record.data : undefined,
  ]);
  return { rcode: rcodeOf(decision.message), records, packet };
}

test('NAME.HOST and NAME are answered, in any case, with and without a dot at the end', () => {
  for (const name of ['nginx-1.server2', 'nginx-1', 'NGINX-1.Server2', 'nginx-1.server2.']) {
    const { rcode, records, packet } = answered(query('A', name));
    assert.equal(rcode, 0);
    assert.deepEqual(records, [['A', '192.168.12.2']]);
    assert.ok(packet.flag_qr && packet.flag_aa && packet.flag_ra && packet.flag_rd);
    assert.equal(packet.id, 4711);
    assert.equal(packet.questions?.[0]?.name, name.replace(/\.$/, ''));
  }
  assert.deepEqual(answered(query('A', 'db_1')).records, [['A', '192.168.12.3']]);
  assert.deepEqual(answered(query('A', 'twice.server3.example.org')).records, [['A', '192.168.13.4']]);
});

test('a name on two hosts is not resolved; the decision lists the hosts', () => {
  const decision = decideAnswer(query('A', 'twice'), names);
  assert.ok(decision.kind === 'answer' && decision.ambiguous);
  assert.deepEqual(
    decision.ambiguous.of.map(({ host }) => host),
    ['server2', 'server3.example.org'],
  );
  assert.equal(rcodeOf(decision.message), 3);
  assert.deepEqual(answered(query('A', 'twice.server2')).records, [['A', '192.168.12.4']]);
});

test('other types of a known name have no records, and no error', () => {
  for (const type of ['AAAA', 'MX', 'TXT', 'UNKNOWN_65']) {
    const { rcode, records, packet } = answered(query(type, 'web'));
    assert.deepEqual([rcode, records, packet.questions?.[0]?.type], [0, [], type]);
  }
  assert.deepEqual(answered(query('ANY', 'web')).records, [['A', '192.168.11.2']]);
});

test('an address is resolved to its name', () => {
  assert.deepEqual(answered(query('PTR', '2.12.168.192.in-addr.arpa')).records, [['PTR', 'nginx-1.server2']]);
  assert.equal(decideAnswer(query('PTR', '9.12.168.192.in-addr.arpa'), names).kind, 'forward');
});

test('a query with EDNS gets an answer with EDNS', () => {
  const opt = { type: 'OPT', name: '.', udpPayloadSize: 4096, extendedRcode: 0, ednsVersion: 0, flags: 0 } as const;
  const asked = query('A', 'web', { additionals: [{ ...opt, flag_do: false, options: [] }] });
  assert.deepEqual(
    answered(asked).packet.additionals?.map(({ type }) => type),
    ['OPT'],
  );
  assert.deepEqual(answered(query('A', 'web')).packet.additionals, []);
});

test('queries for other names are forwarded, whatever they carry', () => {
  for (const [type, name] of [
    ['A', 'example.org'],
    ['A', 'nginx-1.server9'],
    ['A', 'web.server1.example.org'],
    ['SOA', '.'],
  ] as const)
    assert.equal(decideAnswer(query(type, name), names).kind, 'forward');
  const chaos = encode({ type: 'query', questions: [{ type: 'TXT', name: 'web', class: 'CH' }] });
  assert.equal(decideAnswer(chaos, names).kind, 'forward');
  const inconsistent = query('A', 'example.org');
  inconsistent.writeUInt16BE(7, 10); // claims records that are not there
  assert.equal(decideAnswer(inconsistent, names).kind, 'forward');
});

test('messages that are no queries are dropped, invalid queries rejected', () => {
  const response = query('A', 'web');
  response[2] = 0x80;
  const cut = query('A', 'web').subarray(0, 15);
  for (const message of [Buffer.alloc(0), Buffer.alloc(11), response, cut])
    assert.deepEqual(decideAnswer(message, names), { kind: 'drop' });
  const update = query('A', 'web');
  update[2] = 5 << 3;
  const none = Buffer.alloc(12);
  const broken = query('A', 'web');
  broken.writeUInt16BE(3, 10);
  const rcodes = [update, none, broken].map((message) => {
    const decision = decideAnswer(message, names);
    return decision.kind === 'answer' ? rcodeOf(decision.message) : decision.kind;
  });
  assert.deepEqual(rcodes, [4, 1, 1]);
});

test('random bytes cause no exception', () => {
  let seed = 1;
  const random = (): number => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed >> 16;
  };
  const kinds = new Set<string>();
  for (let round = 0; round < 3000; round += 1) {
    const message = query('A', 'web', { answers: [{ type: 'A', name: 'web', data: '1.2.3.4' }] });
    for (let change = 0; change < 4; change += 1) message[random() % message.length] = random() % 256;
    const decision = decideAnswer(message, names);
    kinds.add(decision.kind);
    if (decision.kind === 'answer') assert.equal(decision.message.readUInt16BE(0), message.readUInt16BE(0));
  }
  assert.deepEqual([...kinds].sort(), ['answer', 'drop', 'forward']);
});

test('an answer has the id and the question of its query, and is an answer', () => {
  const asked = query('A', 'example.org');
  const good = bareAnswer(asked, 3);
  assert.ok(answers(good, asked));
  assert.ok(answers(bareAnswer(query('A', 'EXAMPLE.org'), 0), asked));
  assert.ok(!answers(withId(good, 1), asked), 'another id');
  assert.ok(!answers(bareAnswer(query('A', 'example.com'), 0), asked), 'another name');
  assert.ok(!answers(bareAnswer(query('AAAA', 'example.org'), 0), asked), 'another type');
  assert.ok(!answers(asked, asked), 'a query');
  assert.ok(!answers(good.subarray(0, 20), asked), 'cut off');
});

test('a link follows its container, else the host, else the only one of that name', () => {
  const target = { host: 'server2', name: 'nginx-1', containerId: 'server2-nginx-1' };
  assert.equal(names.follow(target)?.address, '192.168.12.2');
  assert.equal(names.follow({ ...target, host: 'server9', containerId: 'gone' })?.address, '192.168.12.2');
  assert.equal(names.follow({ host: 'server9', name: 'twice', containerId: 'gone' }), undefined);
  assert.equal(names.follow({ host: 'server2', name: 'old', containerId: 'server2-twice' })?.name, 'twice');
});
