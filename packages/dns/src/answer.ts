/** Decides about one DNS query: answer it from known names, forward it, or drop it. Pure. */
import { formatIp } from '@netyard/core';
import {
  bareAnswer,
  headerLength,
  isResponse,
  isStandardQuery,
  maximumQuery,
  type OwnRecord,
  ownAnswer,
  type Question,
  questionCount,
  rcodes,
  readQuestion,
  udpLimit,
} from './message.ts';
import type { RemoteName } from './name.ts';
import type { Transport } from './upstream-query.ts';

/** Seconds that a resolver may cache an answer: containers move, and asking again is cheap. */
const ttl = 1;
/** Length of a message over TCP (RFC 1035, 4.2.2). */
const maximumTcp = 65_535;

/** The names that one container can resolve. */
export interface NameSource {
  /** Undefined: the name is unknown. Names may have a trailing dot, and any case. */
  find(name: string): KnownName | undefined;
  /** The name of an address. */
  nameOf(address: string): string | undefined;
}

export interface KnownName {
  /** Of both families, in the order in which they are returned. */
  addresses: readonly string[];
  /** The name stands for several containers, so that it is not answered. */
  ambiguous?: readonly RemoteName[];
}

export type Decision =
  | { kind: 'answer'; message: Buffer; ambiguous?: { name: string; of: readonly RemoteName[] } }
  | { kind: 'forward'; question: Question }
  /** Not a query: its sender gets no answer. */
  | { kind: 'drop' };

export function decideAnswer(query: Buffer, names: NameSource, transport: Transport = 'tcp'): Decision {
  if (query.length < headerLength || isResponse(query)) return { kind: 'drop' };
  const error = (rcode: number): Decision => ({ kind: 'answer', message: bareAnswer(query, rcode) });
  if (!isStandardQuery(query)) return error(rcodes.notImplemented);
  if (questionCount(query) !== 1 || query.length > maximumQuery) return error(rcodes.formatError);
  const question = readQuestion(query);
  if (!question) return { kind: 'drop' };
  if (question.class !== 'IN' && question.class !== 'ANY') return { kind: 'forward', question };
  const known = question.type === 'PTR' ? reverse(question, names) : lookUp(question, names);
  if (!known) return { kind: 'forward', question };
  if (known.ambiguous) {
    const ambiguous = { name: question.name, of: known.ambiguous };
    return { kind: 'answer', message: bareAnswer(query, rcodes.nameError), ambiguous };
  }
  const limit = transport === 'udp' ? udpLimit(query) : maximumTcp;
  const message = ownAnswer(query, { records: known.records, ttl, limit });
  return message ? { kind: 'answer', message } : error(rcodes.formatError);
}

interface Known {
  records: readonly OwnRecord[];
  ambiguous?: readonly RemoteName[];
}

/** A known name has no records of other types, and none of a family without an address: it is never forwarded. */
function lookUp({ name, type }: Question, names: NameSource): Known | undefined {
  const found = names.find(name);
  if (!found) return undefined;
  const records = found.addresses.map((data): OwnRecord => ({ type: data.includes(':') ? 'AAAA' : 'A', data }));
  const { ambiguous } = found;
  return {
    records: records.filter((record) => type === 'ANY' || record.type === type),
    ...(ambiguous ? { ambiguous } : {}),
  };
}

function reverse({ name }: Question, names: NameSource): Known | undefined {
  const address = readReverseName(name);
  const data = address === undefined ? undefined : names.nameOf(address);
  return data === undefined ? undefined : { records: [{ type: 'PTR', data }] };
}

/** The address of `4.3.2.1.in-addr.arpa` (RFC 1035, 3.5) or of a name below `ip6.arpa` (RFC 3596, 2.5). */
function readReverseName(name: string): string | undefined {
  const digits = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa\.?$/i.exec(name)?.slice(1);
  if (digits) return digits.reverse().join('.');
  const nibbles = /^((?:[0-9a-f]\.){32})ip6\.arpa\.?$/i.exec(name)?.[1];
  if (nibbles === undefined) return undefined;
  return formatIp({ family: 6, value: BigInt(`0x${nibbles.split('.').reverse().join('')}`) });
}
