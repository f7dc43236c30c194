/**
 * Parses flags like the docker CLI (the grammar of Go's pflag): `--name x`, `--name=x`, `-n x`, `-nx`, `-n=x`, combined
 * `-itd`, `--bool=false`, `--`. Pure.
 */
import { parseBool, parseInteger } from './values.ts';

/** Shell completion of an argument or of a flag's value. */
export type Completion =
  | 'containers'
  | 'running'
  | 'images'
  | 'networks'
  | 'peers'
  /** Running containers, networks, `uplink`. */
  | 'targets'
  | 'cluster-hosts'
  | 'labs'
  | 'lab-hosts'
  | 'volumes'
  | 'files'
  | 'namespaces'
  | 'none';

export interface FlagSpec {
  name: string;
  short?: string;
  /**
   * Bool flags need no value. `list`, `strings` (split at commas), `map` and the other plural kinds may be repeated;
   * of other kinds the last value is used. `--help` shows the kind.
   */
  type: string;
  help: string;
  default?: string;
  hidden?: boolean;
  /** Throws for an invalid value; its message follows `invalid argument "x" for "--name" flag: `. */
  check?: (text: string) => unknown;
  /** Shell completion of the value; default: files. */
  complete?: Completion | readonly string[];
}

const pluralTypes: readonly string[] = [
  'list',
  'strings',
  'map',
  'mount',
  'network',
  'ulimit',
  'filter',
  'gpu-request',
];

export class FlagError extends Error {}

export class Flags {
  readonly #specs: ReadonlyMap<string, FlagSpec>;
  readonly #given = new Map<string, string[]>();

  constructor(specs: ReadonlyMap<string, FlagSpec>) {
    this.#specs = specs;
  }

  add(spec: FlagSpec, text: string): void {
    const values = pluralTypes.includes(spec.type) ? (this.#given.get(spec.name) ?? []) : [];
    const more = spec.type === 'strings' ? text.split(',') : [text];
    this.#given.set(spec.name, [...values, ...more]);
  }

  /** Whether the command has the flag. */
  knows = (name: string): boolean => this.#specs.has(name);
  /** Whether the flag was given. */
  has = (name: string): boolean => this.#given.has(name);
  list = (name: string): string[] => this.#given.get(name) ?? [];
  text = (name: string): string => this.#given.get(name)?.at(-1) ?? this.#spec(name).default ?? '';
  number = (name: string): number => Number(this.text(name) || 0);

  bool(name: string): boolean {
    const text = this.text(name);
    return text !== '' && parseBool(text);
  }

  #spec(name: string): FlagSpec {
    const spec = this.#specs.get(name);
    if (!spec) throw new Error(`this command has no flag --${name}`);
    return spec;
  }
}

export const helpFlag: FlagSpec = { name: 'help', type: 'bool', help: 'Print usage' };

/** Aliases of flags. */
const synonyms: Readonly<Record<string, string>> = { net: 'network', 'net-alias': 'network-alias' };

/** `stopAtArgument`: words after the first argument are not parsed, as in `run IMAGE COMMAND -x`. */
export function parseFlags(
  argv: readonly string[],
  specs: readonly FlagSpec[],
  stopAtArgument: boolean,
): { flags: Flags; args: string[] } {
  const all = [...specs, helpFlag];
  const byName = new Map(all.map((spec) => [spec.name, spec]));
  const byShort = new Map(all.flatMap((spec) => (spec.short ? [[spec.short, spec] as const] : [])));
  const flags = new Flags(byName);
  const args: string[] = [];
  const rest = [...argv];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') return { flags, args: [...args, ...rest] };
    if (word.startsWith('--')) parseLong(word, byName, rest, flags);
    else if (word.startsWith('-') && word !== '-') parseShort(word, byShort, rest, flags);
    else if (stopAtArgument) return { flags, args: [word, ...rest] };
    else args.push(word);
  }
  return { flags, args };
}

function parseLong(word: string, specs: ReadonlyMap<string, FlagSpec>, rest: string[], flags: Flags): void {
  const [, given = '', value] = /^--([^=]*)(?:=([\s\S]*))?$/.exec(word) ?? [];
  if (given === '' || given.startsWith('-')) throw new FlagError(`bad flag syntax: ${word}`);
  const spec = specs.get(synonyms[given] ?? given);
  if (!spec) throw new FlagError(`unknown flag: --${given}`);
  if (value !== undefined) set(flags, spec, value);
  else if (spec.type === 'bool') set(flags, spec, 'true');
  else if (rest.length === 0) throw new FlagError(`flag needs an argument: --${given}`);
  else set(flags, spec, rest.shift() ?? '');
}

function parseShort(word: string, specs: ReadonlyMap<string, FlagSpec>, rest: string[], flags: Flags): void {
  let letters = word.slice(1);
  while (letters !== '') {
    const letter = letters.slice(0, 1);
    const behind = letters.slice(1);
    const spec = specs.get(letter);
    if (!spec) throw new FlagError(`unknown shorthand flag: '${letter}' in -${letters}`);
    const isBool = spec.type === 'bool' && !behind.startsWith('=');
    if (isBool) set(flags, spec, 'true');
    else if (behind !== '') set(flags, spec, behind.length > 1 ? behind.replace(/^=/, '') : behind);
    else if (rest.length === 0) throw new FlagError(`flag needs an argument: '${letter}' in -${letters}`);
    else set(flags, spec, rest.shift() ?? '');
    letters = isBool ? behind : '';
  }
}

function set(flags: Flags, spec: FlagSpec, text: string): void {
  try {
    checkType(spec.type, text);
    spec.check?.(text);
  } catch (error) {
    const shown = spec.short ? `-${spec.short}, --${spec.name}` : `--${spec.name}`;
    const reason = error instanceof Error ? error.message : String(error);
    throw new FlagError(`invalid argument ${JSON.stringify(text)} for "${shown}" flag: ${reason}`);
  }
  flags.add(spec, text);
}

function checkType(type: string, text: string): void {
  if (type === 'bool') parseBool(text);
  else if (type === 'int') parseInteger(text, 'ParseInt');
  else if (type === 'uint16' || type === 'uint') parseInteger(text, 'ParseUint');
}
