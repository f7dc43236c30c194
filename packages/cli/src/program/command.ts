/**
 * The command tree: commander dispatches, this file adds the docker CLI's flag grammar and messages.
 *
 * The tree is built from the entries of the command table; a command's spec is loaded when it is called.
 */
import { Command, type ParseOptionsResult } from 'commander';
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

class TreeCommand extends Command {
  readonly entry: Entry;
  spec: CommandSpec | undefined;
  flags = new Flags(new Map());

  constructor(entry: Entry) {
    super(entry.name);
    this.entry = entry;
    for (const alias of entry.aliases ?? []) this.alias(alias);
    this.helpOption(false).helpCommand(false).allowExcessArguments().argument('[args...]');
  }

  get path(): string {
    const above = this.parent;
    return above instanceof TreeCommand ? `${above.path} ${this.name()}` : this.name();
  }

  /** Replaces commander's option grammar by docker's; other words become operands. */
  override parseOptions(argv: string[]): ParseOptionsResult {
    if (this.entry.passThrough) return { operands: argv, unknown: [] };
    const specs = this.parent ? (this.spec?.flags ?? []) : globalFlags;
    const isGroup = this.entry.children !== undefined;
    const { flags, args } = this.#parse(argv, specs, isGroup || (this.spec?.stopAtArgument ?? false));
    this.flags = flags;
    if (flags.bool('help') && !(isGroup && args.length > 0)) throw new HelpRequested(this.#help());
    // Parsed here, before commander takes the operands for options.
    if (isGroup && args[0] !== undefined && !this.#knows(args[0])) this.failGroup(args);
    return isGroup ? { operands: args.slice(0, 1), unknown: args.slice(1) } : { operands: args, unknown: [] };
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
    const root = this.#root();
    if (this === root) return rootHelp(this.entry.children ?? [], globalFlags);
    if (!this.spec) return groupHelp(this.path, this.entry);
    const names = namesOf(root.entry, this.entry);
    return commandHelp(this.path, this.entry.summary, this.spec, names);
  }

  #knows(word: string): boolean {
    return this.commands.some((command) => command.name() === word || command.aliases().includes(word));
  }

  #root(): TreeCommand {
    return this.parent instanceof TreeCommand ? this.parent.#root() : this;
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
  let exitCode = 0;
  let context: Context | undefined;
  const tree = buildTree(root, (command) => {
    context = makeContext(outside, tree.flags);
    return execute(command, context).then((code) => {
      exitCode = code;
    });
  });
  try {
    await tree.parseAsync(argv, { from: 'user' });
  } finally {
    context?.close();
  }
  return exitCode;
}

function buildTree(entry: Entry, act: (command: TreeCommand) => Promise<void>): TreeCommand {
  const command = new TreeCommand(entry);
  command.exitOverride();
  command.action(() => act(command));
  for (const child of entry.children ?? []) command.addCommand(buildTree(child, act));
  if (entry.children) {
    command.hook('preSubcommand', async (_this, sub) => {
      if (sub instanceof TreeCommand) sub.spec = await sub.entry.load?.();
    });
  }
  return command;
}

async function execute(command: TreeCommand, context: Context): Promise<number> {
  if (command.entry.passThrough) return await command.entry.passThrough(context, command.args);
  if (command.parent === null && command.flags.bool('version')) {
    const { versionLine } = await import('../version.ts');
    context.print(versionLine());
    return 0;
  }
  if (!command.spec) return command.failGroup(command.args);
  command.checkArguments(command.spec);
  return await command.spec.run(context, { flags: command.flags, args: command.args, command: command.path });
}
