/** Executes a template's syntax tree with data. Pure. */
import { executeError, type TemplateError, templateError } from './error.ts';
import { isTrue, type TemplateFunction, templateFunctions } from './functions.ts';
import { type BlockNode, type Node, type Pipeline, parseTemplate, type Term } from './parse.ts';
import { printValue } from './print.ts';

export interface TemplateOptions {
  functions?: Readonly<Record<string, TemplateFunction>>;
  /** Creates the error of a missing field (default: a map's), or returns a value instead. */
  missing?: (field: string, fail: (text: string) => TemplateError) => unknown;
}

type Functions = Readonly<Record<string, TemplateFunction>>;
type Missing = NonNullable<TemplateOptions['missing']>;

export type Template = (data: unknown) => string;

/** Parses immediately, so that an invalid template fails before any request. Throws TemplateError. */
export function compileTemplate(source: string, options: TemplateOptions = {}): Template {
  const functions = options.functions ?? templateFunctions;
  const nodes = parseTemplate(source);
  checkFunctions(nodes, functions);
  return (data) => new Run(functions, options.missing ?? missingKey, data).text(nodes);
}

function missingKey(field: string, fail: (text: string) => TemplateError): unknown {
  throw fail(`map has no entry for key ${JSON.stringify(field)}`);
}

function checkFunctions(nodes: readonly Node[], functions: Readonly<Record<string, TemplateFunction>>): void {
  const checkPipeline = (pipeline: Pipeline): void => {
    for (const { operand } of pipeline.commands.flat()) {
      if (operand.kind === 'pipeline') checkPipeline(operand.pipeline);
      if (operand.kind !== 'function' || operand.name === 'and' || operand.name === 'or') continue;
      if (!Object.hasOwn(functions, operand.name))
        throw templateError(`function ${JSON.stringify(operand.name)} not defined`);
    }
  };
  for (const node of nodes) {
    if ('pipeline' in node) checkPipeline(node.pipeline);
    if ('body' in node) checkFunctions([...node.body, ...node.otherwise], functions);
  }
}

class LoopControl {
  readonly kind: 'break' | 'continue';
  constructor(kind: 'break' | 'continue') {
    this.kind = kind;
  }
}

class Run {
  readonly #functions: Functions;
  readonly #missing: Missing;
  readonly #variables: { name: string; value: unknown }[];
  #dot: unknown;
  #out = '';

  constructor(functions: Functions, missing: Missing, data: unknown) {
    this.#functions = functions;
    this.#missing = missing;
    this.#dot = data;
    this.#variables = [{ name: '$', value: data }];
  }

  text(nodes: readonly Node[]): string {
    this.#walk(nodes);
    return this.#out;
  }

  #walk(nodes: readonly Node[]): void {
    for (const node of nodes) {
      if (node.kind === 'text') this.#out += node.text;
      else if (node.kind === 'output') this.#output(node.pipeline);
      else if ('body' in node) this.#block(node);
      else throw new LoopControl(node.kind);
    }
  }

  #output(pipeline: Pipeline): void {
    const value = this.#pipeline(pipeline);
    if (pipeline.declare.length > 0) return;
    this.#out += value === null || value === undefined ? '<no value>' : printValue(value);
  }

  /** Restores variables and the dot at the end of the block. */
  #scoped(dot: unknown, work: () => void): void {
    const outer = this.#dot;
    const depth = this.#variables.length;
    this.#dot = dot;
    try {
      work();
    } finally {
      this.#dot = outer;
      this.#variables.length = depth;
    }
  }

  #block(node: BlockNode): void {
    this.#scoped(this.#dot, () => {
      if (node.kind === 'range') {
        this.#range(node);
        return;
      }
      const value = this.#pipeline(node.pipeline);
      if (!isTrue(value)) this.#walk(node.otherwise);
      else if (node.kind === 'if') this.#walk(node.body);
      else this.#scoped(value, () => this.#walk(node.body));
    });
  }

  #range(node: BlockNode): void {
    const value = this.#pipeline({ ...node.pipeline, declare: [] });
    const entries = entriesOf(value, () =>
      this.#failAt(node.pipeline.commands[0]?.[0], `range can't iterate over ${printValue(value)}`),
    );
    if (entries.length === 0) this.#walk(node.otherwise);
    for (const [key, item] of entries) {
      try {
        this.#scoped(item, () => {
          const names = node.pipeline.declare;
          if (names.length === 2) this.#variables.push({ name: names[0] ?? '', value: key });
          if (names.length > 0) this.#variables.push({ name: names.at(-1) ?? '', value: item });
          this.#walk(node.body);
        });
      } catch (error) {
        if (!(error instanceof LoopControl)) throw error;
        if (error.kind === 'break') break;
      }
    }
  }

  #pipeline(pipeline: Pipeline): unknown {
    let value: unknown;
    pipeline.commands.forEach((command, index) => {
      value = this.#command(command, index === 0 ? [] : [value]);
    });
    const name = pipeline.declare[0];
    if (name !== undefined && pipeline.assign) {
      const variable = this.#variables.findLast((candidate) => candidate.name === name);
      if (!variable) throw templateError(`undefined variable ${JSON.stringify(name)}`);
      variable.value = value;
    } else if (name !== undefined) this.#variables.push({ name, value });
    return value;
  }

  #command(terms: readonly Term[], piped: unknown[]): unknown {
    const [first, ...others] = terms;
    if (!first) throw templateError('missing value for command');
    if (first.operand.kind === 'function' && (first.operand.name === 'and' || first.operand.name === 'or')) {
      return this.#shortCircuit(first.operand.name, others, piped);
    }
    return this.#term(first, () => [...others.map((other) => this.#term(other, () => [])), ...piped]);
  }

  #shortCircuit(name: 'and' | 'or', terms: readonly Term[], piped: unknown[]): unknown {
    let value: unknown;
    for (const next of [...terms.map((term) => () => this.#term(term, () => [])), ...piped.map((item) => () => item)]) {
      value = next();
      if (isTrue(value) === (name === 'or')) return value;
    }
    return value;
  }

  /** `values`: arguments for a function or a method. */
  #term(term: Term, values: () => unknown[]): unknown {
    let value = this.#operand(term, values);
    term.fields.forEach((field, index) => {
      const last = index === term.fields.length - 1;
      value = this.#field({ ...term, at: columnOf(term, index) }, value, field, last ? values : () => []);
    });
    return value;
  }

  #operand(term: Term, values: () => unknown[]): unknown {
    const { operand } = term;
    switch (operand.kind) {
      case 'dot':
        return this.#dot;
      case 'nil':
        return null;
      case 'literal':
        return operand.value;
      case 'pipeline':
        return this.#pipeline(operand.pipeline);
      case 'variable': {
        const found = this.#variables.findLast((variable) => variable.name === operand.name);
        if (!found) throw templateError(`undefined variable ${JSON.stringify(operand.name)}`);
        return found.value;
      }
      case 'function':
        return this.#call(term, this.#functions[operand.name], operand.name, values());
    }
  }

  #call(term: Term, work: TemplateFunction | undefined, name: string, values: unknown[]): unknown {
    if (!work) throw templateError(`function ${JSON.stringify(name)} not defined`);
    try {
      return work(...values);
    } catch (error) {
      throw this.#failAt(term, `error calling ${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #field(term: Term, value: unknown, field: string, values: () => unknown[]): unknown {
    const fail = (text: string): TemplateError => this.#failAt(term, text);
    if (value === null || value === undefined) throw fail(`nil pointer evaluating interface {}.${field}`);
    if (typeof value !== 'object' || Array.isArray(value)) {
      throw fail(`can't evaluate field ${field} in type ${Array.isArray(value) ? '[]interface {}' : typeof value}`);
    }
    const member = (value as Record<string, unknown>)[field];
    if (!Object.hasOwn(value, field)) return this.#missing(field, fail);
    return typeof member === 'function' ? this.#call(term, member as TemplateFunction, field, values()) : member;
  }

  #failAt(term: Term | undefined, text: string): TemplateError {
    return executeError(term?.at ?? 0, term?.text ?? '', text);
  }
}

/** Position of the n-th field of a term. */
const columnOf = ({ at, fields, operand }: Term, index: number): number =>
  operand.kind === 'dot' ? at + fields.slice(0, index).reduce((sum, field) => sum + field.length + 1, 0) : at;

function entriesOf(value: unknown, fail: () => TemplateError): [unknown, unknown][] {
  if (value === null || value === undefined || value === '') return [];
  if (Array.isArray(value)) return value.map((item, index) => [index, item]);
  if (typeof value === 'number') return Array.from({ length: value }, (_, index) => [index, index]);
  if (typeof value !== 'object') throw fail();
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
}
