import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CapturedPacket, PacketParser } from './pcapng.ts';
import { summarizePacket } from './summary.ts';

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));

function block(type: number, body: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(12 + body.length);
  bytes.writeUInt32LE(type, 0);
  bytes.writeUInt32LE(bytes.length, 4);
  bytes.set(body, 8);
  bytes.writeUInt32LE(bytes.length, bytes.length - 4);
  return bytes;
}

function packetBlock(time: bigint, length: number, data: Uint8Array): Uint8Array {
  const body = Buffer.alloc(20 + Math.ceil(data.length / 4) * 4);
  body.writeUInt32LE(Number(time >> 32n), 4);
  body.writeUInt32LE(Number(time & 0xffffffffn), 8);
  body.writeUInt32LE(data.length, 12);
  body.writeUInt32LE(length, 16);
  body.set(data, 20);
  return block(6, body);
}

const ethernet = (type: string, payload: string): Uint8Array => hex(`0242ac110003 0242ac110002 ${type} ${payload}`);
const tcp = ethernet(
  '0800',
  '4500003c 00004000 40060000 ac110002 ac110003 9c400050 00000000 00000000 a0020000 00000000',
);

test('packets are read from a file that arrives in any pieces', () => {
  const file = Buffer.concat([
    block(0x0a0d0d0a, hex('4d3c2b1a 01000000 ffffffffffffffff')),
    block(1, hex('01000000 00000400')),
    packetBlock(1_700_000_000_500_000_000n, 74, tcp),
    packetBlock(1_700_000_001_000_000_000n, 1500, tcp.subarray(0, 30)),
  ]);
  for (const size of [1, 7, 64, file.length]) {
    const parser = new PacketParser();
    const packets: CapturedPacket[] = [];
    for (let at = 0; at < file.length; at += size) packets.push(...parser.push(file.subarray(at, at + size)));
    assert.deepEqual(
      packets.map(({ time, linkType, length, data }) => [time, linkType, length, data.length]),
      [
        [1_700_000_000.5, 1, 74, tcp.length],
        [1_700_000_001, 1, 1500, 30],
      ],
    );
  }
  assert.throws(() => new PacketParser().push(hex('06000000 0d000000')), /invalid pcapng/);
  assert.throws(() => new PacketParser().push(block(6, hex(`${'00'.repeat(12)} ffff0000 00000000 00000000`))));
});

test('a packet is one line, whatever of it is missing', () => {
  const lineOf = (data: Uint8Array, linkType = 1): string =>
    Object.values(summarizePacket({ time: 0, linkType, length: data.length, data })).join(' ');
  assert.equal(lineOf(tcp), '172.17.0.2 172.17.0.3 TCP 40000 → 80 [S]');
  const echo = '45000054 00004000 40010000 ac110002 ac110003 08000000';
  assert.equal(lineOf(ethernet('8100 0005 0800', echo)), '172.17.0.2 172.17.0.3 ICMP echo request');
  assert.equal(lineOf(hex(echo), 101), '172.17.0.2 172.17.0.3 ICMP echo request');
  const arp = '0001 0800 0604 0001 0242ac110002 ac110002 000000000000 ac110003';
  assert.equal(lineOf(ethernet('0806', arp)), '172.17.0.2 172.17.0.3 ARP who has 172.17.0.3');
  const six = `60000000 0020 3a ff fd00${'00'.repeat(13)}02 fe80${'00'.repeat(13)}03 87000000`;
  assert.equal(lineOf(ethernet('86dd', six)), 'fd00::2 fe80::3 ICMPv6 neighbour solicitation');
  const udp = '4500001c 00000000 40110000 0a000001 0a000002 14e90035';
  assert.equal(lineOf(ethernet('0800', udp)), '10.0.0.1 10.0.0.2 UDP 5353 → 53');
  assert.equal(
    lineOf(ethernet('0800', udp.replace('00000000 4011', '00002001 4011'))),
    '10.0.0.1 10.0.0.2 UDP fragment',
  );
  assert.equal(lineOf(ethernet('88cc', '00')), '02:42:ac:11:00:02 02:42:ac:11:00:03 0x88cc ');
  for (let length = 0; length < 34; length += 1) assert.match(lineOf(tcp.subarray(0, length)), / \? cut off$/);
  assert.equal(lineOf(tcp, 999), '  ? ');
});
