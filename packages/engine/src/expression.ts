/** Regular expressions that users write, in Go's syntax as with Docker. */
import { createRequire } from 'node:module';
import { NetyardError } from '@netyard/core';

export interface Expression {
  /** Whether any part of the text matches. Takes time linear in its length. */
  test(text: string): boolean;
}

type Re2 = typeof import('re2js', { with: { 'resolution-mode': 'require' }});

/** Means the same in Go and JavaScript, and leaves nothing to try twice. */
const plain = /^\^?[\w/ -]*\$?$/;

/** Of the program that an expression becomes. RE2 allows 14 times this: 1.3 s and 600 MB for `x{1000}` a thousand times. */
const mostInstructions = 100_000;

/** Throws `invalid` with Go's message. */
export function parseExpression(pattern: string): Expression {
  if (plain.test(pattern)) return new RegExp(pattern);
  if (maximumSize(pattern) > mostInstructions)
    throw new NetyardError('invalid', 'error parsing regexp: expression too large');
  const { RE2JS, RE2JSException } = loadRe2();
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    throw new NetyardError('invalid', goMessage(error.message, pattern));
  }
}

/** Counted repetitions copy what they repeat, also when they are nested: then at most 1000 times, or RE2 rejects them. */
function maximumSize(pattern: string): number {
  let copies = 1;
  for (const [, least, most] of pattern.matchAll(/\{(\d+)(?:,(\d*))?\}/g))
    copies = Math.min(1000, copies * Math.max(1, Number(most || least)));
  return pattern.length * copies;
}

/** 6 MB and 8 ms, which most daemons never need. Not bundled either: each start would read its 260 KB. */
const loadRe2 = (): Re2 => createRequire(import.meta.url)('re2js') as Re2;

/** Go always quotes where the fault is; re2js does not for these two kinds. */
function goMessage(message: string, pattern: string): string {
  if (message.endsWith('`')) return message;
  return `${message}: \`${message.includes('trailing backslash') ? '' : pattern}\``;
}
