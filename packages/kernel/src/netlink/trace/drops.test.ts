/** Pure parts of drop traces: formats and events of tracepoints, ring buffers, symbols. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TappedPacket } from '../../packet-trace.ts';
import { SymbolSearch } from '../../system/kernel-symbols.ts';
import { parseRecords } from '../../system/perf-events.ts';
import { parseFormat } from './drop-events.ts';
import { DropFollower, matchDrops } from './drop-follower.ts';

const common = [
  'field:unsigned short common_type;	offset:0;	size:2;	signed:0;',
  'field:int common_pid;	offset:4;	size:4;	signed:1;',
  'field:void * skbaddr;	offset:8;	size:8;	signed:0;',
];
/** As Linux 6.18 has it, shortened. */
const kfreeSkb = [
  ...['name: kfree_skb', 'ID: 2310', 'format:', ...common],
  'field:void * location;	offset:16;	size:8;	signed:0;',
  'field:unsigned short protocol;	offset:32;	size:2;	signed:0;',
  'field:enum skb_drop_reason reason;	offset:36;	size:4;	signed:0;',
  'print fmt: "reason: %s", __print_symbolic(REC->reason, { 2, "NOT_SPECIFIED" }, { 12, "NETFILTER_DROP" }, { 90, "QUEUE_PURGE" })',
].join('\n');
const seenFormat = (name: string, id: number): string =>
  [
    ...[`name: ${name}`, `ID: ${id}`, 'format:', ...common],
    'field:unsigned int len;	offset:16;	size:4;	signed:0;',
    'field:__data_loc char[] name;	offset:20;	size:4;	signed:0;',
    'print fmt: "dev=%s skbaddr=%p len=%u", __get_str(name), REC->skbaddr, REC->len',
  ].join('\n');
const formats = {
  drop: parseFormat(kfreeSkb),
  out: parseFormat(seenFormat('net_dev_queue', 2304)),
  in: parseFormat(seenFormat('netif_receive_skb', 2303)),
};

function event(id: number, packet: bigint, write: (view: DataView) => void): Uint8Array {
  const data = new Uint8Array(48);
  const view = new DataView(data.buffer);
  view.setUint16(0, id, true);
  view.setBigUint64(8, packet, true);
  write(view);
  return data;
}
const seen = (id: number, packet: bigint, link: string, length: number): Uint8Array =>
  event(id, packet, (view) => {
    view.setUint32(16, length, true);
    view.setUint32(20, 24 | ((link.length + 1) << 16), true);
    Buffer.from(link).forEach((byte, index) => {
      view.setUint8(24 + index, byte);
    });
  });
const dropped = (packet: bigint, location: bigint, reason: number): Uint8Array =>
  event(2310, packet, (view) => {
    view.setBigUint64(16, location, true);
    view.setUint32(36, reason, true);
  });

test('a packet is followed by its address until it is dropped; others and purged ones are not reported', () => {
  const follower = new DropFollower(formats);
  const add = (time: bigint, data: Uint8Array) => follower.add({ time, data });
  assert.deepEqual(add(1n, dropped(7n, 0x10n, 12)), [], 'not seen before');
  add(2n, seen(2304, 7n, 'eth0', 75));
  add(3n, seen(2303, 7n, 'veth1234567', 61));
  const drops = add(5n, dropped(7n, 0x10n, 12));
  assert.deepEqual(drops, [
    {
      ...{ time: 5n, reason: 'NETFILTER_DROP', address: 0x10n },
      seen: [
        { link: 'eth0', direction: 'out', time: 2n, length: 75 },
        { link: 'veth1234567', direction: 'in', time: 3n, length: 61 },
      ],
    },
  ]);
  assert.deepEqual(add(6n, dropped(7n, 0x10n, 12)), [], 'the address belongs to another packet now');
  add(7n, seen(2303, 8n, 'eth0', 61));
  assert.deepEqual(add(8n, dropped(8n, 0x10n, 90)), []);
  add(9n, seen(2303, 8n, 'eth0', 61));
  assert.equal(add(10n, dropped(8n, 0x10n, 1000))[0]?.reason, 'NOT_SPECIFIED');
  const tapped = (part: Partial<TappedPacket>, length = 61): TappedPacket =>
    ({ link: 'eth0', direction: 'out', time: 2n, headers: { length }, ...part }) as TappedPacket;
  assert.equal(matchDrops(drops, [tapped({})]).length, 1);
  assert.equal(matchDrops(drops, [tapped({ link: 'veth1234567', direction: 'other', time: 4_000_000n })]).length, 1);
  for (const other of [
    tapped({ direction: 'in' }),
    tapped({ link: 'lo' }),
    tapped({ time: 6_000_000n }),
    tapped({}, 60),
  ])
    assert.equal(matchDrops(drops, [other]).length, 0);
});

test('records of a ring buffer are split into events, and lost ones are noticed', () => {
  const record = (type: number, body: Uint8Array): Uint8Array => {
    const bytes = new Uint8Array(8 + body.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, type, true);
    view.setUint16(6, bytes.length, true);
    bytes.set(body, 8);
    return bytes;
  };
  const sample = new Uint8Array(24);
  new DataView(sample.buffer).setBigUint64(0, 99n, true);
  new DataView(sample.buffer).setUint32(8, 4, true);
  sample.set([1, 2, 3, 4], 12);
  const both = Buffer.concat([record(9, sample), record(2, new Uint8Array(16)), record(9, sample)]);
  const { samples, lost } = parseRecords(new Uint8Array(both));
  assert.deepEqual(
    [samples.map(({ time, data }) => [time, [...data]]), lost],
    [new Array(2).fill([99n, [1, 2, 3, 4]]), true],
  );
  assert.deepEqual(parseRecords(new Uint8Array(8)), { samples: [], lost: false });
});

test('an address belongs to the last function before it; hidden symbols name nothing', () => {
  const search = new SymbolSearch([0xffffffff81000015n, 0xffffffffc0000010n, 0x10n]);
  for (const line of [
    'ffffffff81000000 T first',
    'ffffffff81000010 t ip_error',
    'ffffffff81000014 d data',
    'ffffffff81000020 T after',
    'ffffffffc0000000 t nft_do_chain	[nf_tables]',
    '0000000000000000 T hidden',
  ])
    search.add(line);
  assert.deepEqual(
    [...search.found()],
    [
      [0xffffffff81000015n, 'ip_error'],
      [0xffffffffc0000010n, 'nft_do_chain'],
    ],
  );
});
