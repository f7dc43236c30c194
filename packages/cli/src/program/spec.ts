/** Specification of a command: arguments, flags, help and implementation. */
import type { Context } from './context.ts';
import type { Completion, FlagSpec, Flags } from './flags.ts';

export interface CommandInput {
  flags: Flags;
  args: string[];
  /** Full name, with aliases resolved: `netyard network ls`. */
  command: string;
}

export interface CommandSpec {
  /** Usage after the command's name: `[OPTIONS] IMAGE [COMMAND] [ARG...]`. */
  usage: string;
  /** Minimum and maximum number of arguments. */
  args: readonly [number, number];
  flags: readonly FlagSpec[];
  /** The first argument ends the flags. */
  stopAtArgument?: boolean;
  /** Description in --help, after the summary. */
  description?: string;
  examples: readonly string[];
  /** Shell completion of its arguments. */
  complete?: Completion;
  /** Resolves with the exit code. Throws Failure, NetyardError or FlagError. */
  run(context: Context, input: CommandInput): Promise<number>;
}

/** The parts of a commander command that completion reads. */
export interface ForeignCommand {
  name(): string;
  readonly commands: readonly ForeignCommand[];
  readonly options: readonly {
    long?: string | undefined;
    short?: string | undefined;
    required: boolean;
    optional: boolean;
  }[];
  readonly registeredArguments: readonly { name(): string; argChoices?: readonly string[] | undefined }[];
}

/** An entry of the command table, available without loading the command. */
export interface Entry {
  name: string;
  aliases?: readonly string[];
  group?: 'common' | 'management' | 'netyard';
  summary: string;
  load?: () => Promise<CommandSpec>;
  children?: readonly Entry[];
  /** Passes all words to another parser (`lab`). */
  passThrough?: (context: Context, args: string[]) => Promise<number>;
  /** The commands of that parser, for completion. */
  foreign?: () => Promise<ForeignCommand>;
}
