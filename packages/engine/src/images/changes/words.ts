/**
 * Words of Dockerfile instructions as a shell reads them: quotes, backslashes, `$NAME` and `${NAME:-word}`. Substrings
 * and patterns (`${NAME#prefix}`) are rejected. Pure.
 */
import { NetyardError } from '@netyard/core';

/** Value of a variable; undefined: not set. */
export type Variables = (name: string) => string | undefined;

/** The variables of an image's or container's environment. */
export function variablesOf(env: readonly string[]): Variables {
  let values: Map<string, string> | undefined; // most texts have no variable
  return (name) => {
    values ??= new Map(env.map(splitEntry));
    return values.get(name);
  };
}

function splitEntry(entry: string): [string, string] {
  const equals = entry.indexOf('=');
  return equals < 0 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)];
}

/** Splits at spaces outside of quotes; quotes and backslashes stay. */
export function splitWords(text: string): string[] {
  return text.match(/(?:[^\s"'\\]|\\[\s\S]|"(?:[^"\\]|\\[\s\S])*"|'[^']*'|["'\\])+/g) ?? [];
}

/** No program can be given a longer one (Linux: MAX_ARG_STRLEN). Words that repeat variables could fill the memory. */
const longestWord = 128 * 1024;
/** Of `${A:-${B:-…}}`. */
const deepestNesting = 100;

/** One word without quotes, with variables replaced. Spaces are part of it. */
export function expandWord(text: string, variables: Variables): string {
  return expand(new Reader(text), variables, '');
}

class Reader {
  readonly text: string;
  at = 0;
  depth = 0;

  constructor(text: string) {
    this.text = text;
  }

  get isAtEnd(): boolean {
    return this.at >= this.text.length;
  }

  peek(): string {
    return this.text[this.at] ?? '';
  }

  next(): string {
    const character = this.peek();
    this.at += 1;
    return character;
  }

  /** What matches here, and moves behind it. */
  take(pattern: RegExp): string {
    const sticky = new RegExp(pattern.source, 'y');
    sticky.lastIndex = this.at;
    const found = sticky.exec(this.text)?.[0] ?? '';
    this.at += found.length;
    return found;
  }
}

/** Reads to the end, or to `stop`, which it consumes. */
function expand(reader: Reader, variables: Variables, stop: string): string {
  let result = '';
  while (!reader.isAtEnd) {
    const character = reader.next();
    if (character === stop) return checkLength(result);
    if (character === "'") result += singleQuoted(reader);
    else if (character === '"') result += doubleQuoted(reader, variables);
    else if (character === '$') result = checkLength(result + substitute(reader, variables));
    else if (character === '\\') result += reader.isAtEnd ? '\\' : reader.next();
    else result += character;
  }
  if (stop !== '') throw syntaxError("syntax error: missing '}'");
  return checkLength(result);
}

function checkLength(word: string): string {
  if (word.length <= longestWord) return word;
  throw syntaxError(`a word with its variables replaced has more than ${longestWord} characters`);
}

function singleQuoted(reader: Reader): string {
  const end = reader.text.indexOf("'", reader.at);
  if (end < 0) throw syntaxError('unexpected end of statement while looking for matching single-quote');
  const content = reader.text.slice(reader.at, end);
  reader.at = end + 1;
  return content;
}

function doubleQuoted(reader: Reader, variables: Variables): string {
  let result = '';
  while (!reader.isAtEnd) {
    const character = reader.next();
    if (character === '"') return result;
    if (character === '$') result = checkLength(result + substitute(reader, variables));
    else if (character === '\\' && /["$\\]/.test(reader.peek())) result += reader.next();
    else result += character;
  }
  throw syntaxError('unexpected end of statement while looking for matching double-quote');
}

const namePattern = /[A-Za-z_]\w*|\d+|[@*#?!$-]/;

/** Behind a `$`. */
function substitute(reader: Reader, variables: Variables): string {
  if (reader.peek() !== '{') {
    const name = reader.take(namePattern);
    return name === '' ? '$' : (variables(name) ?? '');
  }
  reader.next();
  const name = reader.take(namePattern);
  if (name === '') throw syntaxError('syntax error: bad substitution');
  const value = variables(name);
  if (reader.peek() === '}') {
    reader.next();
    return value ?? '';
  }
  const countsEmpty = reader.peek() === ':';
  if (countsEmpty) reader.next();
  const modifier = reader.next();
  if (!/[-+?]/.test(modifier) || modifier === '') {
    throw syntaxError(`unsupported modifier (${countsEmpty ? ':' : ''}${modifier}) in substitution`);
  }
  reader.depth += 1;
  if (reader.depth > deepestNesting) throw syntaxError(`more than ${deepestNesting} nested substitutions`);
  const word = expand(reader, variables, '}');
  reader.depth -= 1;
  const isSet = value !== undefined && !(countsEmpty && value === '');
  if (modifier === '+') return isSet ? word : '';
  if (isSet) return value ?? '';
  if (modifier === '-') return word;
  throw syntaxError(`${name}: ${word === '' ? 'is not allowed to be unset' : word}`);
}

const syntaxError = (message: string): NetyardError => new NetyardError('invalid', message);
