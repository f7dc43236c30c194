/** Decides about one DNS query: answer it from the published names, forward it, or drop it. Pure. */
import {
  bareAnswer,
  headerLength,
  isResponse,
  isStandardQuery,
  ownAnswer,
  type Question,
  questionCount,
  rcodes,
  readQuestion,
} from './message.ts';
import { fullName, type RemoteName } from './name.ts';
import type { NameIndex } from './name-index.ts';

/** Seconds that a resolver may cache an answer: containers move, and asking again is cheap. */
const ttl = 5;

export type Decision =
  | { kind: 'answer'; message: Buffer; ambiguous?: { name: string; of: readonly RemoteName[] } }
  | { kind: 'forward' }
  /** Not a query: its sender gets no answer. */
  | { kind: 'drop' };

export function decideAnswer(query: Buffer, names: NameIndex): Decision {
  if (query.length < headerLength || isResponse(query)) return { kind: 'drop' };
  if (!isStandardQuery(query)) return { kind: 'answer', message: bareAnswer(query, rcodes.notImplemented) };
  if (questionCount(query) !== 1) return { kind: 'answer', message: bareAnswer(query, rcodes.formatError) };
  const question = readQuestion(query);
  if (!question) return { kind: 'drop' };
  if (question.class !== 'IN' && question.class !== 'ANY') return { kind: 'forward' };
  return question.type === 'PTR' ? reverse(query, question, names) : forward(query, question, names);
}

function forward(query: Buffer, question: Question, names: NameIndex): Decision {
  const found = names.named(question.name);
  const [one] = found;
  if (!one) return { kind: 'forward' };
  if (found.length > 1) {
    const decision = own(query, question, rcodes.nameError, []);
    return decision.kind === 'answer' ? { ...decision, ambiguous: { name: question.name, of: found } } : decision;
  }
  const asksAddress = question.type === 'A' || question.type === 'ANY';
  return own(query, question, rcodes.noError, asksAddress ? [{ type: 'A', data: one.address, ttl }] : []);
}

function reverse(query: Buffer, question: Question, names: NameIndex): Decision {
  const digits = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa\.?$/i.exec(question.name)?.slice(1);
  const found = digits && names.byAddress(digits.reverse().join('.'));
  if (!found) return { kind: 'forward' };
  return own(query, question, rcodes.noError, [{ type: 'PTR', data: fullName(found), ttl }]);
}

function own(
  query: Buffer,
  question: Question,
  rcode: number,
  records: readonly { type: 'A' | 'PTR'; data: string; ttl: number }[],
): Decision {
  const message = ownAnswer(query, { rcode, question, records });
  return { kind: 'answer', message: message ?? bareAnswer(query, rcodes.formatError) };
}
