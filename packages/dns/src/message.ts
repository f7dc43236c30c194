/**
 * DNS messages (RFC 1035, 4.1): reads queries and builds our own answers. Of a forwarded message only the header and
 * the question are parsed, so that every extension passes unchanged. Pure.
 */
import { AUTHORITATIVE_ANSWER, decode, encode, type Packet, RECURSION_AVAILABLE, RECURSION_DESIRED } from 'dns-packet';

/** Port of DNS servers (RFC 1035, 4.2). */
export const dnsPort = 53;
export const headerLength = 12;
const responseBit = 0x80;
const recursionDesiredBit = 0x01;
const opcodeMask = 0x78;
/** Largest UDP payload that we accept, in the OPT record of our own answers (RFC 9715). */
const udpPayloadSize = 1232;

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
    if (length === undefined || length > 63) return undefined;
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

export interface OwnAnswer {
  rcode: number;
  question: Question;
  records: readonly { type: 'A' | 'PTR'; data: string; ttl: number }[];
}

/** An authoritative answer. Undefined when the query's other sections cannot be parsed. */
export function ownAnswer(query: Buffer, { rcode, question, records }: OwnAnswer): Buffer | undefined {
  let asked: Packet;
  try {
    asked = decode(query);
  } catch {
    return undefined;
  }
  const { name } = question;
  const hasEdns = asked.additionals?.some(({ type }) => type === 'OPT') ?? false;
  const edns = { type: 'OPT', name: '.', udpPayloadSize, extendedRcode: 0, ednsVersion: 0, flags: 0 } as const;
  return encode({
    type: 'response',
    id: messageId(query),
    flags: AUTHORITATIVE_ANSWER | RECURSION_AVAILABLE | ((asked.flags ?? 0) & RECURSION_DESIRED) | rcode,
    questions: asked.questions ?? [],
    answers: records.map((record) => ({ ...record, name, class: 'IN' })),
    additionals: hasEdns ? [{ ...edns, flag_do: false, options: [] }] : [],
  });
}
