/** Splits the text of `--change` into Dockerfile instructions: comments, continued lines, flags. Pure. */
import { NetyardError } from '@netyard/core';

export interface Instruction {
  /** Upper case. */
  name: string;
  /** The name as the user wrote it. */
  written: string;
  /** `--name=value` before the arguments, without the dashes. */
  flags: string[];
  /** Everything after the flags. */
  rest: string;
}

const isComment = (line: string): boolean => /^\s*#/.test(line);

/** Throws `invalid` without an instruction. */
export function parseInstructions(lines: readonly string[]): Instruction[] {
  const whole: string[] = [];
  let open = false;
  for (const line of lines.join('\n').split(/\r?\n/)) {
    if (isComment(line) || line.trim() === '') continue;
    const continued = /\\[ \t]*$/.test(line);
    const text = continued ? line.replace(/\\[ \t]*$/, '') : line;
    if (open) whole.push(`${whole.pop() ?? ''}${text}`);
    else whole.push(text.trimStart());
    open = continued;
  }
  if (whole.length === 0) throw new NetyardError('invalid', 'file with no instructions');
  return whole.map((line) => parseInstruction(line.trim()));
}

export function parseInstruction(line: string): Instruction {
  const [written = ''] = line.split(/\s/, 1);
  const { flags, rest } = splitFlags(line.slice(written.length).trim());
  return { name: written.toUpperCase(), written, flags, rest };
}

/** `--` ends the flags. */
function splitFlags(text: string): { flags: string[]; rest: string } {
  const flags: string[] = [];
  let rest = text;
  for (let match = /^--(\S*)\s*/.exec(rest); match; match = /^--(\S*)\s*/.exec(rest)) {
    rest = rest.slice(match[0].length);
    if (match[1] === '' || match[1] === undefined) break;
    flags.push(match[1]);
  }
  return { flags, rest };
}

/** The values of the flags that the instruction has. Throws `invalid` for others, with Docker's messages. */
export function readFlags({ flags }: Instruction, known: readonly string[]): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const flag of flags) {
    const equals = flag.indexOf('=');
    const name = equals < 0 ? flag : flag.slice(0, equals);
    if (!known.includes(name)) throw new NetyardError('invalid', `unknown flag: --${name}`);
    if (equals < 0) throw new NetyardError('invalid', `missing a value on flag: --${name}`);
    if (values.has(name)) throw new NetyardError('invalid', `duplicate flag specified: --${name}`);
    values.set(name, flag.slice(equals + 1));
  }
  return values;
}
