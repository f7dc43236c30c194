/**
 * Finds the command that a command line calls, with the docker CLI's flag grammar and messages. A command's spec is loaded
 * when it is called.
 */
import { Failure } from '../failure.ts';
import type { Context, Environment } from './context.ts';
import { globalFlags, makeContext } from './context.ts';
import { FlagError, Flags, parseFlags } from './flags.ts';
import { commandHelp, groupHelp, rootHelp, usageLine } from './help.ts';
import type { CommandSpec, Entry } from './spec.ts';

/** Thrown to end parsing with the requested help text. */
export class HelpRequested extends Error {
  readonly text: string;
  constructor(text: string) {
    super('help');
    this.text = text;
  }
}

/** One word of the command line that names a command, with what was parsed up to the next one. */
class CalledCommand {
  readonly entry: Entry;
  readonly parent: CalledCommand | undefined;
  spec: CommandSpec | undefined;
  flags = new Flags(new Map());
  args: string[] = [];

  constructor(entry: Entry, parent?: CalledCommand) {
    this.entry = entry;
    this.parent = parent;
  }

  get path(): string {
    return this.parent ? `${this.parent.path} ${this.entry.name}` : this.entry.name;
  }

  /** Parses the words after the command's name. Returns the command that they call, or undefined at the last one. */
  parse(argv: string[]): CalledCommand | undefined {
    if (this.entry.passThrough) {
      this.args = argv;
      return undefined;
    }
    const specs = this.parent ? (this.spec?.flags ?? []) : globalFlags;
    const isGroup = this.entry.children !== undefined;
    const { flags, args } = this.#parse(argv, specs, isGroup || (this.spec?.stopAtArgument ?? false));
    this.flags = flags;
    this.args = args;
    if (flags.bool('help') && !(isGroup && args.length > 0)) throw new HelpRequested(this.#help());
    const [word] = args;
    if (!isGroup || word === undefined) return undefined;
    const called = this.entry.children?.find((child) => child.name === word || child.aliases?.includes(word));
    return called ? new CalledCommand(called, this) : this.failGroup(args);
  }

  #parse(argv: string[], specs: CommandSpec['flags'], stop: boolean): { flags: Flags; args: string[] } {
    try {
      return parseFlags(argv, specs, stop);
    } catch (error) {
      if (!(error instanceof FlagError)) throw error;
      const usage = this.spec ? usageLine(this.path, this.spec) : `${this.path} [OPTIONS] COMMAND [ARG...]`;
      throw new Failure(`${error.message}\n\nUsage:  ${usage}\n\nRun '${this.path} --help' for more information`, 125);
    }
  }

  #help(): string {
    const { root } = this;
    if (this === root) return rootHelp(this.entry.children ?? [], globalFlags);
    if (!this.spec) return groupHelp(this.path, this.entry);
    const names = namesOf(root.entry, this.entry);
    return commandHelp(this.path, this.entry.summary, this.spec, names);
  }

  get root(): CalledCommand {
    return this.parent?.root ?? this;
  }

  /** A group or the root with an unknown command. */
  failGroup(args: readonly string[]): never {
    if (args.length === 0) throw new HelpRequested(this.#help());
    const usage = this.parent ? `\n\nUsage:  ${this.path}` : '';
    const text = `netyard: unknown command: ${this.path} ${args[0]}${usage}\n\nRun '${this.path} --help' for more information`;
    throw new Failure(text);
  }

  checkArguments(spec: CommandSpec): void {
    const [least, most] = spec.args;
    const count = this.args.length;
    if (count >= least && count <= most) return;
    const end = (word: string): string =>
      `\n\nUsage:  ${usageLine(this.path, spec)}\n\n${word} '${this.path} --help' for more information`;
    const plural = (n: number): string => `${n} argument${n === 1 ? '' : 's'}`;
    let need = `accepts no arguments${end('Run')}`;
    if (most > 0 && least === most) need = `requires ${plural(least)}${end('Run')}`;
    else if (most === Number.POSITIVE_INFINITY) need = `requires at least ${plural(least)}${end('See')}`;
    else if (most > 0 && least === 0) need = `requires at most ${plural(most)}${end('Run')}`;
    else if (most > 0) need = `requires at least ${least} and at most ${plural(most)}${end('Run')}`;
    throw new Failure(`netyard: '${this.path}' ${need}`);
  }
}

/** All full names of a command, with aliases: the entries that load the same spec. Pure. */
export function namesOf(root: Entry, command: Entry, prefix = 'netyard'): string[] {
  const names = (root.children ?? []).flatMap((entry) => {
    if (entry.children) return namesOf(entry, command, `${prefix} ${entry.name}`);
    if (entry.load !== command.load) return [];
    return [entry.name, ...(entry.aliases ?? [])].map((name) => `${prefix} ${name}`);
  });
  return prefix === 'netyard' ? names.sort((a, b) => b.split(' ').length - a.split(' ').length) : names;
}

/** Runs one command line. Resolves with the exit code; rethrows errors of the command. */
export async function runCommandLine(root: Entry, argv: string[], outside: Environment): Promise<number> {
  const first = new CalledCommand(root);
  let command = first;
  let words = argv;
  for (let next = first.parse(words); next; next = command.parse(words)) {
    words = command.args.slice(1);
    command = next;
    command.spec = await command.entry.load?.();
  }
  const context = makeContext(outside, first.flags);
  try {
    return await execute(command, context);
  } finally {
    context.close();
  }
}

async function execute(command: CalledCommand, context: Context): Promise<number> {
  if (command.entry.passThrough) return await command.entry.passThrough(context, command.args);
  if (command.parent === undefined && command.flags.bool('version')) {
    const { versionLine } = await import('../version.ts');
    context.print(versionLine());
    return 0;
  }
  if (!command.spec) return command.failGroup(command.args);
  command.checkArguments(command.spec);
  return await command.spec.run(context, { flags: command.flags, args: command.args, command: command.path });
}
