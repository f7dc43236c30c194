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

/** Throws `invalid` with Go's message. */
export function parseExpression(pattern: string): Expression {
  if (plain.test(pattern)) return new RegExp(pattern);
  const { RE2JS, RE2JSException } = loadRe2();
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    throw new NetyardError('invalid', goMessage(error.message, pattern));
  }
}

let re2: Re2 | undefined;

/** 6 MB and 8 ms, which most daemons never need. Not bundled either: each start would read its 260 KB. */
function loadRe2(): Re2 {
  re2 ??= createRequire(import.meta.url)('re2js') as Re2;
  return re2;
}

/** Go always quotes where the fault is; re2js does not for these two kinds. */
function goMessage(message: string, pattern: string): string {
  if (message.endsWith('`')) return message;
  return `${message}: \`${message.includes('trailing backslash') ? '' : pattern}\``;
}
