/**
 * DNS messages (RFC 1035, 4.1): reads queries and builds our own answers. Of a forwarded message only the header and
 * the question are parsed, so that every extension passes unchanged. Pure.
 */
import { ipToBytes, parseIp } from '@netyard/core';
import { decode } from 'dns-packet';

/** Port of DNS servers (RFC 1035, 4.2). */
export const dnsPort = 53;
export const headerLength = 12;
const responseBit = 0x80;
const authoritativeBit = 0x04;
const truncatedBit = 0x02;
const recursionDesiredBit = 0x01;
const opcodeMask = 0x78;
/** Largest UDP payload that we accept, in the OPT record of our own answers (RFC 9715). */
const udpPayloadSize = 1232;
/** RFC 1035, 2.3.4: lengths in bytes. */
const maximumLabel = 63;
const maximumName = 255;
/** Limits for answers over UDP, whatever size a client states. */
const minimumUdp = 512;
const maximumUdp = 4096;
/** Queries are not longer: more is no question, but an attempt to use memory. */
export const maximumQuery = 4096;

export const rcodes = { noError: 0, formatError: 1, serverFailure: 2, nameError: 3, notImplemented: 4, refused: 5 };

export interface Question {
  name: string;
  /** `A`, `AAAA`, `PTR`, `ANY`, …; `UNKNOWN_65` for those without a name. */
  type: string;
  /** `IN` nearly always. */
  class: string;
}

export const messageId = (message: Buffer): number => message.readUInt16BE(0);
export const isResponse = (message: Buffer): boolean => ((message[2] ?? 0) & responseBit) !== 0;
export const isStandardQuery = (message: Buffer): boolean => ((message[2] ?? 0) & opcodeMask) === 0;
export const questionCount = (message: Buffer): number => message.readUInt16BE(4);
export const rcodeOf = (message: Buffer): number => (message[3] ?? 0) & 0x0f;

/** Whether a server could not answer, so that another one is asked. */
export const isFailure = (answer: Buffer): boolean => [rcodes.serverFailure, rcodes.refused].includes(rcodeOf(answer));

/** The same message under another id; the original stays as it is. */
export function withId(message: Buffer, id: number): Buffer {
  const copy = Buffer.from(message);
  copy.writeUInt16BE(id, 0);
  return copy;
}

/** The question of a query; undefined when it cannot be parsed. */
export function readQuestion(message: Buffer): Question | undefined {
  // Without the counts of the other sections, which are not parsed.
  const header = Buffer.from(message);
  header.writeUInt16BE(1, 4);
  header.fill(0, 6, headerLength);
  try {
    const question = decode(header).questions?.[0];
    return question && { name: question.name, type: question.type, class: question.class ?? 'IN' };
  } catch {
    return undefined;
  }
}

/** The question's bytes; undefined when it is truncated or compressed, which is invalid in a first question. */
function questionBytes(message: Buffer): Buffer | undefined {
  let at = headerLength;
  for (;;) {
    const length = message[at];
    if (length === undefined || length > maximumLabel) return undefined;
    at += length + 1;
    if (length === 0) break;
  }
  return at + 4 <= message.length ? message.subarray(headerLength, at + 4) : undefined;
}

/** Whether a message is a valid response to the query: same id, same question (RFC 5452, 4). */
export function answers(message: Buffer, query: Buffer): boolean {
  if (message.length < headerLength || !isResponse(message) || messageId(message) !== messageId(query)) return false;
  if (questionCount(message) === 0) return rcodeOf(message) !== rcodes.noError;
  const asked = questionBytes(query);
  const answered = questionBytes(message);
  return (
    asked !== undefined &&
    answered !== undefined &&
    asked.toString('latin1').toLowerCase() === answered.toString('latin1').toLowerCase()
  );
}

/** An answer without records, built from the query's own bytes. */
export function bareAnswer(query: Buffer, rcode: number): Buffer {
  const question = questionCount(query) === 1 ? questionBytes(query) : undefined;
  const answer = Buffer.concat([query.subarray(0, headerLength), question ?? Buffer.alloc(0)]);
  answer[2] = responseBit | ((answer[2] ?? 0) & (opcodeMask | recursionDesiredBit));
  answer[3] = 0x80 | rcode;
  answer.fill(0, 4, headerLength);
  answer.writeUInt16BE(question ? 1 : 0, 4);
  return answer;
}

export interface OwnRecord {
  type: 'A' | 'AAAA' | 'PTR';
  /** An address, or a name. */
  data: string;
}

export interface OwnAnswer {
  records: readonly OwnRecord[];
  /** Seconds. */
  ttl: number;
  /** Maximum size in bytes: records that do not fit are left out, and the answer is marked as truncated. */
  limit: number;
}

const recordTypes = { A: 1, AAAA: 28, PTR: 12 };
/** A pointer to the question's name (RFC 1035, 4.1.4). */
const questionName = Buffer.from([0xc0, headerLength]);
/** An OPT record without options (RFC 6891, 6.1). */
const optRecord = Buffer.from([0, 0, 41, udpPayloadSize >> 8, udpPayloadSize & 0xff, 0, 0, 0, 0, 0, 0]);

/** An authoritative answer without an error. Undefined when the query's other sections cannot be parsed. */
export function ownAnswer(query: Buffer, { records, ttl, limit }: OwnAnswer): Buffer | undefined {
  const edns = readEdns(query);
  const head = bareAnswer(query, rcodes.noError);
  if (edns === 'invalid' || head.readUInt16BE(4) !== 1) return undefined;
  const end = edns === undefined ? [] : [optRecord];
  const parts: Buffer[] = [];
  let size = head.length + (end[0]?.length ?? 0);
  const encoded = records.flatMap((record) => encodeRecord(record, ttl) ?? []);
  for (const record of encoded) {
    size += record.length;
    if (size > limit) break;
    parts.push(record);
  }
  const truncated = parts.length < encoded.length ? truncatedBit : 0;
  head[2] = (head[2] ?? 0) | authoritativeBit | truncated;
  head.writeUInt16BE(parts.length, 6);
  head.writeUInt16BE(end.length, 10);
  return Buffer.concat([head, ...parts, ...end]);
}

function encodeRecord({ type, data }: OwnRecord, ttl: number): Buffer | undefined {
  const value = type === 'PTR' ? encodeName(data) : Buffer.from(ipToBytes(parseIp(data)));
  if (!value) return undefined;
  const fields = Buffer.alloc(10);
  fields.writeUInt16BE(recordTypes[type], 0);
  fields.writeUInt16BE(1, 2); // class IN
  fields.writeUInt32BE(ttl, 4);
  fields.writeUInt16BE(value.length, 8);
  return Buffer.concat([questionName, fields, value]);
}

/** Undefined for a name that DNS cannot carry: containers' names may have any length. */
function encodeName(name: string): Buffer | undefined {
  const labels = name.split('.').map((label) => Buffer.from(label));
  if (labels.some(({ length }) => length === 0 || length > maximumLabel)) return undefined;
  const encoded = Buffer.concat([...labels.flatMap((label) => [Buffer.from([label.length]), label]), Buffer.alloc(1)]);
  return encoded.length <= maximumName ? encoded : undefined;
}

/** The UDP payload size of the query's OPT record; undefined without one. */
function readEdns(query: Buffer): number | undefined | 'invalid' {
  const hasSections = [6, 8, 10].some((at) => query.readUInt16BE(at) > 0);
  if (!hasSections) return undefined;
  try {
    const opt = decode(query).additionals?.find(({ type }) => type === 'OPT');
    return opt?.type === 'OPT' ? opt.udpPayloadSize : undefined;
  } catch {
    return 'invalid';
  }
}

/** The largest answer that the sender of a query over UDP accepts (RFC 6891, 6.2.3). */
export function udpLimit(query: Buffer): number {
  const size = readEdns(query);
  return Math.min(Math.max(typeof size === 'number' ? size : 0, minimumUdp), maximumUdp);
}

/** An answer to be sent over UDP: without records and marked as truncated if it is too long. */
export function fitUdp(answer: Buffer, query: Buffer): Buffer {
  if (answer.length <= minimumUdp || answer.length <= udpLimit(query)) return answer;
  const short = bareAnswer(query, rcodeOf(answer));
  short[2] = (short[2] ?? 0) | truncatedBit;
  return short;
}
