/**
 * Encodes blocks of the PCAP Next Generation capture file format (draft-ietf-opsawg-pcapng): one section, one interface,
 * packets with timestamps in nanoseconds, statistics. Little endian, as the section's byte-order magic states. Pure.
 */
import { ipToBytes, parseIp, parsePrefix } from '../ip.ts';

export interface Packet {
  seconds: number;
  /** Within that second. */
  nanoseconds: number;
  /** Length on the wire; `data` may be shorter. */
  originalLength: number;
  data: Uint8Array;
}

export interface SectionDescription {
  hardware: string;
  os: string;
  application: string;
  comment: string;
}

export interface InterfaceDescription {
  /** LINKTYPE_ value. */
  linkType: number;
  snapLength: number;
  name: string;
  description: string;
  /** Addresses with prefix length. */
  addresses: readonly string[];
  /** `02:42:ac:11:00:02`; '' for an interface without one. */
  mac: string;
  /** pcap-filter(7) expression; '' for none. */
  filter: string;
  os: string;
}

export interface InterfaceStatistics {
  /** Nanoseconds since 1970. */
  start: bigint;
  end: bigint;
  captured: number;
  /** Packets that passed the filter; the kernel dropped `dropped` of them because its buffer was full. */
  received: number;
  dropped: number;
  /** Why the capture ended, unless the client stopped it. */
  comment?: string;
}

const sectionBlock = 0x0a0d0d0a;
const byteOrderMagic = 0x1a2b3c4d;
const interfaceBlock = 1;
const nameBlock = 4;
const statisticsBlock = 5;
const packetBlock = 6;

const endOfOptions = 0;
const commentOption = 1;
const sectionOptions = { hardware: 2, os: 3, application: 4 };
const interfaceOptions = { name: 2, description: 3, ipv4: 4, ipv6: 5, mac: 6, resolution: 9, filter: 11, os: 12 };
const statisticsOptions = { start: 2, end: 3, accepted: 6, dropped: 7, delivered: 8 };
const nameRecords = { ipv4: 1, ipv6: 2 };
/** if_tsresol: a power of ten, negated. */
const nanoseconds = 9;
/** First byte of if_filter: the rest is a libpcap expression. */
const filterExpression = 0;

/** Lengths have 16 bits. */
const longestOption = 65535;
const padded = (length: number): number => (length + 3) & ~3;

interface Option {
  code: number;
  value: Uint8Array;
}

const bytesOption = (code: number, value: Uint8Array): Option => ({ code, value: value.subarray(0, longestOption) });
/** Empty texts are omitted. */
const textOption = (code: number, text: string): Option[] =>
  text === '' ? [] : [bytesOption(code, Buffer.from(text))];

function numberOption(code: number, value: number): Option {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return { code, value: bytes };
}

/** Upper half first, each half little endian. */
function timeOption(code: number, time: bigint): Option {
  const bytes = Buffer.alloc(8);
  writeTime(bytes, 0, time);
  return { code, value: bytes };
}

function writeTime(bytes: Buffer, offset: number, time: bigint): void {
  bytes.writeUInt32LE(Number(time >> 32n), offset);
  bytes.writeUInt32LE(Number(time & 0xffffffffn), offset + 4);
}

/** Options and name records, which share a format: code, length, value, padding to 32 bits; then an end marker. */
function encodeOptions(options: readonly Option[]): Buffer {
  if (options.length === 0) return Buffer.alloc(0);
  const end: Option = { code: endOfOptions, value: new Uint8Array() };
  const parts = [...options, end].map(({ code, value }) => {
    const bytes = Buffer.alloc(4 + padded(value.length));
    bytes.writeUInt16LE(code, 0);
    bytes.writeUInt16LE(value.length, 2);
    bytes.set(value, 4);
    return bytes;
  });
  return Buffer.concat(parts);
}

function encodeBlock(type: number, ...body: readonly Uint8Array[]): Buffer {
  const length = 12 + body.reduce((sum, part) => sum + part.length, 0);
  const head = Buffer.alloc(8);
  head.writeUInt32LE(type, 0);
  head.writeUInt32LE(length, 4);
  const tail = Buffer.alloc(4);
  tail.writeUInt32LE(length, 0);
  return Buffer.concat([head, ...body, tail]);
}

/** Section Header Block, of unknown length. */
export function encodeSection({ hardware, os, application, comment }: SectionDescription): Buffer {
  const fixed = Buffer.alloc(16);
  fixed.writeUInt32LE(byteOrderMagic, 0);
  fixed.writeUInt16LE(1, 4);
  fixed.writeUInt16LE(0, 6);
  fixed.writeBigInt64LE(-1n, 8);
  const options = [
    ...textOption(sectionOptions.hardware, hardware),
    ...textOption(sectionOptions.os, os),
    ...textOption(sectionOptions.application, application),
    ...textOption(commentOption, comment),
  ];
  return encodeBlock(sectionBlock, fixed, encodeOptions(options));
}

/** Interface Description Block. */
export function encodeInterface(link: InterfaceDescription): Buffer {
  const fixed = Buffer.alloc(8);
  fixed.writeUInt16LE(link.linkType, 0);
  fixed.writeUInt32LE(link.snapLength, 4);
  const filter = Buffer.concat([Buffer.of(filterExpression), Buffer.from(link.filter)]);
  const options = [
    ...textOption(interfaceOptions.name, link.name),
    ...textOption(interfaceOptions.description, link.description),
    ...link.addresses.map(addressOption),
    ...(link.mac === '' ? [] : [bytesOption(interfaceOptions.mac, Buffer.from(link.mac.replaceAll(':', ''), 'hex'))]),
    bytesOption(interfaceOptions.resolution, Buffer.of(nanoseconds)),
    ...(link.filter === '' ? [] : [bytesOption(interfaceOptions.filter, filter)]),
    ...textOption(interfaceOptions.os, link.os),
  ];
  return encodeBlock(interfaceBlock, fixed, encodeOptions(options));
}

/** IPv4: address and mask. IPv6: address and prefix length. */
function addressOption(text: string): Option {
  const prefix = parsePrefix(text);
  const address = ipToBytes(prefix);
  if (prefix.family === 6)
    return bytesOption(interfaceOptions.ipv6, Buffer.concat([address, Buffer.of(prefix.length)]));
  const mask = Buffer.alloc(4);
  mask.writeUInt32BE(prefix.length === 0 ? 0 : (0xffffffff << (32 - prefix.length)) >>> 0);
  return bytesOption(interfaceOptions.ipv4, Buffer.concat([address, mask]));
}

/** Name Resolution Block: names of addresses. Empty without names. */
export function encodeNames(names: readonly { address: string; name: string }[]): Buffer {
  const records = names.map(({ address, name }) => {
    const ip = parseIp(address);
    const value = Buffer.concat([ipToBytes(ip), Buffer.from(name), Buffer.of(0)]);
    return bytesOption(ip.family === 4 ? nameRecords.ipv4 : nameRecords.ipv6, value);
  });
  return records.length === 0 ? Buffer.alloc(0) : encodeBlock(nameBlock, encodeOptions(records));
}

const packetOverhead = 32;

/** Enhanced Packet Blocks of the section's only interface, in one buffer. */
export function encodePackets(packets: readonly Packet[]): Buffer {
  const total = packets.reduce((sum, { data }) => sum + packetOverhead + padded(data.length), 0);
  const bytes = Buffer.alloc(total);
  let offset = 0;
  for (const packet of packets) offset = writePacket(bytes, offset, packet);
  return bytes;
}

function writePacket(bytes: Buffer, offset: number, { seconds, nanoseconds, originalLength, data }: Packet): number {
  const length = packetOverhead + padded(data.length);
  bytes.writeUInt32LE(packetBlock, offset);
  bytes.writeUInt32LE(length, offset + 4);
  bytes.writeUInt32LE(0, offset + 8);
  writeTime(bytes, offset + 12, BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds));
  bytes.writeUInt32LE(data.length, offset + 20);
  bytes.writeUInt32LE(originalLength, offset + 24);
  bytes.set(data, offset + 28);
  bytes.writeUInt32LE(length, offset + length - 4);
  return offset + length;
}

/** Interface Statistics Block: the end of a capture. */
export function encodeStatistics(statistics: InterfaceStatistics): Buffer {
  const fixed = Buffer.alloc(12);
  writeTime(fixed, 4, statistics.end);
  const options = [
    timeOption(statisticsOptions.start, statistics.start),
    timeOption(statisticsOptions.end, statistics.end),
    numberOption(statisticsOptions.accepted, statistics.received),
    numberOption(statisticsOptions.dropped, statistics.dropped),
    numberOption(statisticsOptions.delivered, statistics.captured),
    ...textOption(commentOption, statistics.comment ?? ''),
  ];
  return encodeBlock(statisticsBlock, fixed, encodeOptions(options));
}
