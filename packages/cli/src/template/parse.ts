/** Parses a template's tokens into a syntax tree. Pure. */
import { templateError } from './error.ts';
import { lex, type Token } from './lex.ts';

export type Operand =
  | { kind: 'dot' }
  | { kind: 'nil' }
  | { kind: 'literal'; value: string | number | boolean }
  | { kind: 'variable'; name: string }
  | { kind: 'function'; name: string }
  | { kind: 'pipeline'; pipeline: Pipeline };

/** An operand and a chain of fields: `.State.Running`, `$x.Name`, `(index .A 0).B`. */
export interface Term {
  operand: Operand;
  fields: string[];
  at: number;
  text: string;
}

/** Each command is a term and its arguments; the result of one is the last argument of the next. */
export interface Pipeline {
  declare: string[];
  assign: boolean;
  commands: Term[][];
}

export interface BlockNode {
  kind: 'if' | 'with' | 'range';
  pipeline: Pipeline;
  body: Node[];
  otherwise: Node[];
}

export type Node =
  | { kind: 'text'; text: string }
  | { kind: 'output'; pipeline: Pipeline }
  | BlockNode
  | { kind: 'break' | 'continue' };

export function parseTemplate(source: string): Node[] {
  const parser = new Parser(lex(source));
  const nodes = parser.nodes();
  if (!parser.atEnd) throw templateError(`unexpected {{${parser.stop}}}`);
  return nodes;
}

class Parser {
  readonly #tokens: Token[];
  #next = 0;
  /** The word (`end`, `else`) at which `nodes` stopped. */
  stop = '';

  constructor(tokens: Token[]) {
    this.#tokens = tokens;
  }

  get atEnd(): boolean {
    return this.stop === '';
  }

  /** Reads until `end`, `else` or the end of the source. */
  nodes(): Node[] {
    const nodes: Node[] = [];
    for (let token = this.#take(); token; token = this.#take()) {
      if (token.kind === 'text') {
        nodes.push({ kind: 'text', text: token.text });
        continue;
      }
      const word = this.#peekWord();
      if (word === 'end' || word === 'else') {
        this.#take();
        this.stop = word;
        return nodes;
      }
      nodes.push(this.#action(word));
    }
    this.stop = '';
    return nodes;
  }

  #action(word: string | undefined): Node {
    if (word === 'if' || word === 'with' || word === 'range') {
      this.#take();
      return this.#block(word);
    }
    if (word === 'break' || word === 'continue') {
      this.#take();
      this.#close();
      return { kind: word };
    }
    const pipeline = this.#pipeline();
    this.#close();
    return { kind: 'output', pipeline };
  }

  /** Reads from after `if` to after its `end`; `else if` becomes an `if` inside `otherwise`. */
  #block(kind: 'if' | 'with' | 'range'): Node {
    if (this.#peek()?.kind === 'close') throw templateError(`missing value for ${kind}`);
    const pipeline = this.#pipeline();
    this.#close();
    const body = this.nodes();
    if (this.atEnd) throw templateError('unexpected EOF');
    if (this.stop === 'end') {
      this.#close();
      return { kind, pipeline, body, otherwise: [] };
    }
    const word = this.#peekWord();
    if (word === 'if' || word === 'with') {
      this.#take();
      return { kind, pipeline, body, otherwise: [this.#block(word)] };
    }
    this.#close();
    const otherwise = this.nodes();
    if (this.stop !== 'end') throw templateError('unexpected EOF');
    this.#close();
    return { kind, pipeline, body, otherwise };
  }

  #pipeline(): Pipeline {
    const { declare, assign } = this.#declaration();
    const commands = [this.#command()];
    while (this.#isSymbol('|')) {
      this.#take();
      commands.push(this.#command());
    }
    return { declare, assign, commands };
  }

  /** `$x :=`, `$i, $x :=` or `$x =`. */
  #declaration(): { declare: string[]; assign: boolean } {
    const start = this.#next;
    const declare: string[] = [];
    for (;;) {
      const token = this.#peek();
      if (token?.kind !== 'variable') break;
      this.#take();
      declare.push(token.text);
      if (!this.#isSymbol(',')) break;
      this.#take();
    }
    if (declare.length > 0 && (this.#isSymbol(':=') || this.#isSymbol('='))) {
      const sign = this.#take();
      return { declare, assign: sign?.kind === 'symbol' && sign.text === '=' };
    }
    this.#next = start;
    return { declare: [], assign: false };
  }

  #command(): Term[] {
    const terms: Term[] = [];
    for (let token = this.#peek(); token; token = this.#peek()) {
      if (token.kind === 'close' || this.#isSymbol('|') || this.#isSymbol(')')) break;
      terms.push(this.#term());
    }
    if (terms.length === 0) throw templateError('missing value for command');
    return terms;
  }

  #term(): Term {
    const token = this.#take();
    if (!token) throw templateError('unexpected EOF');
    const term: Term = { operand: { kind: 'dot' }, fields: [], at: token.at, text: '' };
    if (token.kind === 'field') term.fields.push(token.text.slice(1));
    else term.operand = this.#operand(token);
    term.text = 'text' in token ? token.text : '';
    let end = token.at + term.text.length;
    if (term.operand.kind === 'pipeline') end = (this.#tokens[this.#next - 1]?.at ?? 0) + 1;
    for (let next = this.#peek(); next?.kind === 'field' && next.at === end; next = this.#peek()) {
      this.#take();
      term.fields.push(next.text.slice(1));
      term.text += next.text;
      end = next.at + next.text.length;
    }
    return term;
  }

  #operand(token: Token): Operand {
    switch (token.kind) {
      case 'string':
        return { kind: 'literal', value: unquote(token.text) };
      case 'number':
        return { kind: 'literal', value: Number(token.text) };
      case 'variable':
        return { kind: 'variable', name: token.text };
      case 'word':
        if (token.text === 'nil') return { kind: 'nil' };
        if (token.text === 'true' || token.text === 'false') return { kind: 'literal', value: token.text === 'true' };
        return { kind: 'function', name: token.text };
      case 'symbol':
        if (token.text === '.') return { kind: 'dot' };
        if (token.text === '(') return this.#parenthesis();
    }
    throw templateError(`unexpected ${'text' in token ? JSON.stringify(token.text) : token.kind} in operand`);
  }

  #parenthesis(): Operand {
    const pipeline = this.#pipeline();
    if (!this.#isSymbol(')')) throw templateError('unclosed left paren');
    this.#take();
    return { kind: 'pipeline', pipeline };
  }

  #close(): void {
    const token = this.#take();
    if (token?.kind === 'close') return;
    throw templateError(
      token && 'text' in token ? `unexpected ${JSON.stringify(token.text)} in operand` : 'unexpected EOF',
    );
  }

  #peek = (): Token | undefined => this.#tokens[this.#next];
  #take = (): Token | undefined => this.#tokens[this.#next++];

  #peekWord(): string | undefined {
    const token = this.#peek();
    return token?.kind === 'word' ? token.text : undefined;
  }

  #isSymbol(text: string): boolean {
    const token = this.#peek();
    return token?.kind === 'symbol' && token.text === text;
  }
}

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '\\': '\\', '"': '"', "'": "'" };

function unquote(text: string): string {
  if (text.startsWith('`')) return text.slice(1, -1);
  return text.slice(1, -1).replace(/\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)/g, (_, code: string) => {
    if (code.length > 1) return String.fromCodePoint(Number.parseInt(code.slice(1), 16));
    const char = escapes[code];
    if (char === undefined) throw templateError(`invalid syntax in string ${text}`);
    return char;
  });
}
