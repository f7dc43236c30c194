/** Patterns with the syntax of Go's path.Match, which Docker uses for image names. Pure. */
import { NetyardError } from '@netyard/core';

/**
 * `*` and `?` match no slash, `[a-z]` and `[^a]` anything; a backslash escapes the next character. Braces and `**` have
 * no special meaning. Throws `invalid`: `syntax error in pattern`.
 */
export function pathPattern(pattern: string): RegExp {
  const characters = [...pattern];
  /** What is between stars. */
  const parts = [''];
  const append = (text: string): void => {
    parts[parts.length - 1] += text;
  };
  for (let at = 0; at < characters.length; ) {
    const character = characters[at] ?? '';
    if (character === '[') {
      const { text, next } = characterClass(characters, at + 1);
      append(text);
      at = next;
    } else if (character === '*' || character === '?') {
      if (character === '*') parts.push('');
      else append('[^/]');
      at += 1;
    } else {
      const { character: literal, next } = oneCharacter(characters, at);
      append(literalOf(literal));
      at = next;
    }
  }
  return new RegExp(`^${joinParts(parts)}$`, 'su');
}

/**
 * Each part but the last is taken where it matches first, as in Go: a lookahead is not entered again, so that many stars
 * do not multiply the time.
 */
function joinParts([first = '', ...others]: readonly string[]): string {
  const between = others.slice(0, -1).filter((part) => part !== '');
  const taken = between.map((part, index) => `(?=([^/]*?${part}))\\${index + 1}`).join('');
  return first + taken + (others.length === 0 ? '' : `[^/]*${others.at(-1)}`);
}

const syntaxError = (): NetyardError => new NetyardError('invalid', 'syntax error in pattern');

/** Safe in a regular expression, inside and outside of brackets. */
const literalOf = (character: string): string => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;

function oneCharacter(characters: readonly string[], at: number): { character: string; next: number } {
  const start = characters[at] === '\\' ? at + 1 : at;
  const character = characters[start];
  if (character === undefined) throw syntaxError();
  return { character, next: start + 1 };
}

/** Parses from after the bracket on. */
function characterClass(characters: readonly string[], start: number): { text: string; next: number } {
  const negated = characters[start] === '^';
  const ranges: string[] = [];
  let at = negated ? start + 1 : start;
  const bound = (): string => {
    if (characters[at] === '-' || characters[at] === ']') throw syntaxError();
    const { character, next } = oneCharacter(characters, at);
    at = next;
    return character;
  };
  while (ranges.length === 0 || characters[at] !== ']') {
    const low = bound();
    const isRange = characters[at] === '-';
    if (isRange) at += 1;
    const high = isRange ? bound() : low;
    // As in Go, a reversed range matches nothing.
    ranges.push(codeOf(low) <= codeOf(high) ? `${literalOf(low)}-${literalOf(high)}` : '');
  }
  const held = ranges.join('');
  if (held === '') return { text: negated ? '.' : '(?!)', next: at + 1 };
  return { text: `[${negated ? '^' : ''}${held}]`, next: at + 1 };
}

const codeOf = (character: string): number => character.codePointAt(0) ?? 0;
