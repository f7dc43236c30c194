import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Attribute, bytes, concatBytes, encodeAttributes, nested, text, u8, u32 } from '../attribute.ts';
import { encodeMessage, NLMSG_DONE, NLMSG_ERROR } from '../message.ts';
import { NamespaceDigest } from './digest.ts';

const RTM_NEWLINK = 16;
const RTM_NEWADDR = 20;
const RTM_NEWROUTE = 24;

interface Message {
  type: number;
  head: readonly number[];
  attributes: readonly Attribute[];
  flags?: number;
}

const encode = ({ type, head, attributes, flags = 2 }: Message): Uint8Array =>
  encodeMessage({
    ...{ type, flags, sequence: 1 },
    payload: concatBytes([Uint8Array.from(head), encodeAttributes(attributes)]),
  });

function digest(...messages: Message[]): number {
  const all = new NamespaceDigest();
  all.addDatagram(concatBytes(messages.map(encode)));
  return all.value;
}

/** struct ifinfomsg of link 2 with flags, as a little-endian host has it. */
const linkHead = (flags = 0x43, index = 2): number[] => [0, 0, 1, 0, index, 0, 0, 0, flags, 0x10, 0, 0, 0, 0, 0, 0];

interface LinkParts {
  plain?: readonly Attribute[];
  kind?: string;
  data?: readonly Attribute[];
  inet6?: readonly Attribute[];
  flags?: number;
}

function link({ plain = [], kind = 'veth', data = [], inet6 = [], flags }: LinkParts): Message {
  const info = nested(18, [text(1, kind), nested(2, data)]);
  const families = nested(26, [nested(2, [bytes(1, Uint8Array.of(1, 0, 0, 0))]), nested(10, inet6)]);
  return { type: RTM_NEWLINK, head: linkHead(flags), attributes: [text(3, 'eth0'), ...plain, info, families] };
}

const differs = (one: Message, other: Message): void => assert.notEqual(digest(one), digest(other));
const equals = (one: Message, other: Message): void => assert.equal(digest(one), digest(other));

test('a digest depends on what can be repaired of a link', () => {
  differs(link({}), link({ flags: 0x42 })); // not IFF_UP
  for (const type of [1, 3, 4, 5, 10, 20, 27])
    differs(link({ plain: [u32(type, 1)] }), link({ plain: [u32(type, 2)] }));
  differs(link({ inet6: [u32(2, 1)] }), link({ inet6: [u32(2, 2)] }));
  differs(link({ inet6: [u8(8, 1)] }), link({ inet6: [u8(8, 2)] }));
  differs(link({ kind: 'macvlan', data: [u32(1, 4)] }), link({ kind: 'macvlan', data: [u32(1, 8)] }));
  differs({ ...link({}), head: linkHead(0x43, 3) }, link({}));
});

test('what changes by itself has no effect: counters, carrier, timers, cache information', () => {
  equals(link({}), link({ flags: 0x03 })); // without IFF_RUNNING
  for (const type of [7, 16, 23, 30, 33, 35]) equals(link({ plain: [u32(type, 1)] }), link({ plain: [u32(type, 2)] }));
  for (const type of [1, 3, 5, 6]) equals(link({ inet6: [u32(type, 1)] }), link({ inet6: [u32(type, 2)] }));
  equals(link({ kind: 'bridge', data: [u32(16, 4)] }), link({ kind: 'bridge', data: [u32(16, 8)] }));
  const address = (lifetime: number): Message => ({
    ...{ type: RTM_NEWADDR, head: [10, 64, 0, 0, 2, 0, 0, 0] },
    attributes: [bytes(1, new Uint8Array(16)), u32(6, lifetime)],
  });
  equals(address(1), address(2));
  const route = (expires: number): Message => ({
    ...{ type: RTM_NEWROUTE, head: [10, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0] },
    attributes: [u32(4, 2), u32(12, expires)],
  });
  equals(route(1), route(2));
});

test('a digest depends on each part of addresses and routes, and on their number and order', () => {
  const address = (head: number[], ...attributes: Attribute[]): Message => ({ type: RTM_NEWADDR, head, attributes });
  const first = address([2, 16, 0, 0, 2, 0, 0, 0], u32(1, 1), u32(4, 9));
  differs(first, address([2, 24, 0, 0, 2, 0, 0, 0], u32(1, 1), u32(4, 9)));
  differs(first, address([2, 16, 0, 0, 2, 0, 0, 0], u32(1, 1), u32(4, 8)));
  differs(first, address([2, 16, 0, 0, 2, 0, 0, 0], u32(1, 1)));
  const second = address([2, 16, 0, 0, 2, 0, 0, 0], u32(1, 2));
  assert.notEqual(digest(first, second), digest(second, first));
  assert.notEqual(digest(first, second), digest(first));
  differs({ ...first, type: RTM_NEWROUTE }, first);
});

test('a digest keeps the differences of all bits', () => {
  const seen = new Set<number>();
  for (let bit = 0; bit < 32; bit += 1)
    for (let at = 0; at < 40; at += 1) {
      const attributes = Array.from({ length: 40 }, (_, index) => u32(1, index === at ? 2 ** bit : 0));
      seen.add(digest({ type: RTM_NEWADDR, head: [2, 0, 0, 0, 0, 0, 0, 0], attributes }));
    }
  assert.equal(seen.size, 32 * 40);
  assert.ok([...seen].every(Number.isSafeInteger));
});

test('an interrupted dump differs from a complete one, and the end of a dump is reported with its error', () => {
  differs(link({}), { ...link({}), flags: 2 | 0x10 });
  const end = (type: number, errno: number): Uint8Array =>
    encodeMessage({ type, flags: 2, sequence: 1, payload: new Uint8Array(new Int32Array([-errno]).buffer) });
  const all = new NamespaceDigest();
  assert.deepEqual(all.addDatagram(encode(link({}))), { isDone: false, errno: 0 });
  const before = all.value;
  assert.deepEqual(all.addDatagram(end(NLMSG_DONE, 0)), { isDone: true, errno: 0 });
  assert.deepEqual(all.addDatagram(end(NLMSG_ERROR, 16)), { isDone: true, errno: 16 });
  assert.equal(all.value, before);
});

test('truncated messages are ignored', () => {
  const whole = encode(link({ plain: [u32(4, 1500)] }));
  for (let length = 0; length < whole.length; length += 1) new NamespaceDigest().addDatagram(whole.subarray(0, length));
});
