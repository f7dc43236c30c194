/**
 * Tokenizes a Go template (text/template): text between actions, and tokens inside `{{ … }}`. Pure.
 *
 * Supports the subset that the docker CLI's `--format` needs, without `define`, `block` and `template`.
 */
import { templateError } from './error.ts';

export type Token =
  | { kind: 'text'; text: string; at: number }
  | { kind: 'open' | 'close'; at: number }
  | { kind: 'field' | 'variable' | 'word' | 'string' | 'number' | 'symbol'; text: string; at: number };

/** Token patterns inside an action, tried in order. */
const patterns: { kind: 'field' | 'variable' | 'word' | 'string' | 'number' | 'symbol'; pattern: RegExp }[] = [
  { kind: 'string', pattern: /"(?:[^"\\\n]|\\.)*"|`[^`]*`/y },
  { kind: 'number', pattern: /[+-]?(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?)/y },
  { kind: 'field', pattern: /\.[\p{L}_][\p{L}\p{N}_]*/uy },
  { kind: 'variable', pattern: /\$[\p{L}\p{N}_]*/uy },
  { kind: 'word', pattern: /[\p{L}_][\p{L}\p{N}_]*/uy },
  { kind: 'symbol', pattern: /:=|[|(),.=]/y },
];

export function lex(source: string): Token[] {
  const tokens: Token[] = [];
  let position = 0;
  let trimNext = false;
  while (position < source.length) {
    const open = source.indexOf('{{', position);
    const end = open === -1 ? source.length : open;
    const trimHere = open !== -1 && /^\{\{-\s/.test(source.slice(open, open + 4));
    pushText(tokens, source.slice(position, end), position, trimNext, trimHere);
    trimNext = false;
    if (open === -1) break;
    const inside = open + (trimHere ? 3 : 2);
    const action = lexAction(source, inside, open, tokens);
    position = action.end;
    trimNext = action.trim;
  }
  return tokens;
}

function pushText(tokens: Token[], text: string, at: number, trimStart: boolean, trimEnd: boolean): void {
  let kept = trimStart ? text.trimStart() : text;
  if (trimEnd) kept = kept.trimEnd();
  if (kept !== '') tokens.push({ kind: 'text', text: kept, at });
}

/** Reads from after `{{` to after `}}`. */
function lexAction(source: string, start: number, open: number, tokens: Token[]): { end: number; trim: boolean } {
  const comment = /\s*\/\*[\s\S]*?\*\/\s*(-?)\}\}/y;
  comment.lastIndex = start;
  const commented = comment.exec(source);
  if (commented) return { end: comment.lastIndex, trim: commented[1] === '-' };
  tokens.push({ kind: 'open', at: open });
  let position = start;
  for (;;) {
    const space = /\s*/y;
    space.lastIndex = position;
    space.exec(source);
    position = space.lastIndex;
    const close = /-?\}\}/y;
    close.lastIndex = position;
    const closed = close.exec(source);
    if (closed) {
      tokens.push({ kind: 'close', at: position });
      return { end: close.lastIndex, trim: closed[0].startsWith('-') };
    }
    if (position >= source.length) throw templateError('unclosed action');
    position = lexToken(source, position, tokens);
  }
}

function lexToken(source: string, position: number, tokens: Token[]): number {
  for (const { kind, pattern } of patterns) {
    pattern.lastIndex = position;
    const match = pattern.exec(source);
    if (!match) continue;
    tokens.push({ kind, text: match[0], at: position });
    return pattern.lastIndex;
  }
  const char = source[position] ?? '';
  if (char === '"') throw templateError('unterminated quoted string');
  if (char === '}') throw templateError('unexpected "}" in operand');
  throw templateError(`unexpected ${JSON.stringify(char)} in operand`);
}
