import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import {
  encodeInterface,
  encodeNames,
  encodePackets,
  encodeSection,
  encodeStatistics,
  type InterfaceDescription,
} from './blocks.ts';

/** Decodes blocks and options as the draft defines them; fails for anything that this encoder does not write. */
function decode(file: Buffer): { type: number; fixed: Buffer; options: Map<number, Buffer[]>; data: Buffer }[] {
  const fixedLengths: Record<number, number> = { 168627466: 16, 1: 8, 4: 0, 5: 12, 6: 20 };
  const blocks = [];
  for (let offset = 0; offset < file.length; ) {
    const type = file.readUInt32LE(offset);
    const length = file.readUInt32LE(offset + 4);
    assert.equal(length % 4, 0, 'block lengths are multiples of 4');
    assert.equal(file.readUInt32LE(offset + length - 4), length, 'the length is at both ends');
    const body = file.subarray(offset + 8, offset + length - 4);
    const fixedLength = fixedLengths[type];
    assert.ok(fixedLength !== undefined, `block ${type}`);
    const rest = body.subarray(fixedLength);
    const isPacket = type === 6;
    blocks.push({
      type,
      fixed: body.subarray(0, fixedLength),
      options: isPacket ? new Map<number, Buffer[]>() : decodeOptions(rest),
      data: isPacket ? rest : Buffer.alloc(0),
    });
    offset += length;
  }
  return blocks;
}

function decodeOptions(bytes: Buffer): Map<number, Buffer[]> {
  const options = new Map<number, Buffer[]>();
  for (let offset = 0; offset < bytes.length; ) {
    const code = bytes.readUInt16LE(offset);
    const length = bytes.readUInt16LE(offset + 2);
    if (code === 0) {
      assert.deepEqual([length, offset + 4], [0, bytes.length], 'the end marker is last');
      break;
    }
    options.set(code, [...(options.get(code) ?? []), bytes.subarray(offset + 4, offset + 4 + length)]);
    offset += 4 + Math.ceil(length / 4) * 4;
  }
  return options;
}

const section = {
  hardware: 'x86_64',
  os: 'Debian, Linux 6.18',
  application: 'Netyard 1',
  comment: 'eth0 of container wéb',
};
const link: InterfaceDescription = {
  linkType: 1,
  snapLength: 262144,
  name: 'eth0',
  description: 'eth0 of container web',
  addresses: ['172.17.0.2/16', 'fd00::2/64'],
  mac: '02:42:ac:11:00:02',
  filter: 'icmp',
  os: 'Linux',
};
const text = (options: Map<number, Buffer[]> | undefined, code: number): string | undefined =>
  options?.get(code)?.[0]?.toString();

test('the section and interface blocks carry texts, addresses, filter and time resolution', () => {
  const [head, face] = decode(Buffer.concat([encodeSection(section), encodeInterface(link)]));
  assert.equal(head?.fixed.toString('hex'), '4d3c2b1a01000000ffffffffffffffff');
  assert.deepEqual(
    [2, 3, 4, 1].map((code) => text(head?.options, code)),
    [section.hardware, section.os, section.application, section.comment],
  );
  assert.equal(face?.fixed.toString('hex'), '0100000000000400');
  assert.deepEqual([text(face?.options, 2), text(face?.options, 3)], [link.name, link.description]);
  assert.equal(face?.options.get(4)?.[0]?.toString('hex'), 'ac110002ffff0000');
  assert.equal(face?.options.get(5)?.[0]?.toString('hex'), `fd00${'00'.repeat(13)}0240`);
  assert.equal(face?.options.get(6)?.[0]?.toString('hex'), '0242ac110002');
  assert.deepEqual(face?.options.get(9), [Buffer.of(9)]);
  assert.equal(text(face?.options, 11), '\0icmp');
});

test('unknown values are omitted', () => {
  const bare = { ...link, description: '', addresses: [], mac: '', filter: '', os: '' };
  const [face] = decode(encodeInterface(bare));
  assert.deepEqual([...(face?.options.keys() ?? [])], [2, 9]);
  assert.equal(encodeNames([]).length, 0);
});

test('the name block maps addresses to names', () => {
  const names = [
    { address: '172.17.0.2', name: 'web' },
    { address: 'fd00::2', name: 'web6' },
  ];
  const [block] = decode(encodeNames(names));
  assert.equal(block?.options.get(1)?.[0]?.toString('latin1'), '\xac\x11\0\x02web\0');
  assert.equal(block?.options.get(2)?.[0]?.subarray(16).toString(), 'web6\0');
});

test('packet blocks carry time, both lengths and padding', () => {
  const data = Uint8Array.of(1, 2, 3, 4, 5);
  const packets = [
    { seconds: 1_764_000_000, nanoseconds: 999_999_999, originalLength: 1500, data },
    { seconds: 5_000_000_000, nanoseconds: 0, originalLength: 0, data: new Uint8Array() },
  ];
  const [first, second] = decode(encodePackets(packets));
  const time = (fixed: Buffer | undefined): bigint =>
    fixed === undefined ? 0n : (BigInt(fixed.readUInt32LE(4)) << 32n) | BigInt(fixed.readUInt32LE(8));
  assert.equal(time(first?.fixed), 1_764_000_000_999_999_999n);
  assert.deepEqual([first?.fixed.readUInt32LE(12), first?.fixed.readUInt32LE(16)], [5, 1500]);
  assert.equal(first?.data.toString('hex'), '0102030405000000');
  assert.equal(time(second?.fixed), 5_000_000_000n * 1_000_000_000n);
  assert.equal(second?.data.length, 0);
});

test('the statistics block carries counters and the reason for an unexpected end', () => {
  const counts = { start: 1n << 40n, end: (1n << 40n) + 7n, captured: 3, received: 5, dropped: 2 };
  const [block] = decode(encodeStatistics({ ...counts, comment: 'gone' }));
  const number = (code: number): bigint | undefined => block?.options.get(code)?.[0]?.readBigUInt64LE(0);
  assert.deepEqual([number(6), number(7), number(8)], [5n, 2n, 3n]);
  assert.equal(block?.options.get(2)?.[0]?.toString('hex'), '0001000000000000');
  assert.equal(block?.options.get(3)?.[0]?.toString('hex'), '0001000007000000');
  assert.equal(text(block?.options, 1), 'gone');
});

/** Ethernet, IPv4 172.17.0.2 > 172.17.0.1, ICMP echo request. */
const ping = Buffer.from(
  '0242ac1100010242ac110002080045000054000040004001e28bac110002ac1100010800f7ff00000000'.padEnd(196, '0'),
  'hex',
);

const tcpdump = spawnSync('tcpdump', ['--version']).error ? 'tcpdump is not installed' : false;

test('tcpdump reads a whole file', { skip: tcpdump }, () => {
  const file = Buffer.concat([
    encodeSection(section),
    encodeInterface(link),
    encodeNames([{ address: '172.17.0.2', name: 'web' }]),
    encodePackets([{ seconds: 1_764_000_000, nanoseconds: 123_456_789, originalLength: ping.length, data: ping }]),
    encodeStatistics({ start: 0n, end: 1n, captured: 1, received: 1, dropped: 0 }),
  ]);
  const read = spawnSync('tcpdump', ['-nn', '-tt', '--time-stamp-precision=nano', '-r', '-'], { input: file });
  assert.match(read.stderr.toString(), /link-type EN10MB \(Ethernet\), snapshot length 262144\n$/);
  const line = '1764000000.123456789 IP 172.17.0.2 > 172.17.0.1: ICMP echo request, id 0, seq 0, length 64\n';
  assert.equal(read.stdout.toString(), line);
});
