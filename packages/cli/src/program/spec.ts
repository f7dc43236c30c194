/** What a command is: its words, flags, help and work. One such table per command. */
import type { Context } from './context.ts';
import type { Completion, FlagSpec, Flags } from './flags.ts';

export interface CommandInput {
  flags: Flags;
  args: string[];
  /** As typed, aliases resolved: `netyard network ls`. */
  command: string;
}

export interface CommandSpec {
  /** Behind the command's name: `[OPTIONS] IMAGE [COMMAND] [ARG...]`. */
  usage: string;
  /** How many arguments: at least, at most. */
  args: readonly [number, number];
  flags: readonly FlagSpec[];
  /** Flags end at the first argument. */
  stopAtArgument?: boolean;
  /** More words for --help, behind the summary. */
  description?: string;
  examples: readonly string[];
  /** What the shell offers for its arguments. */
  complete?: Completion;
  /** Resolves with the exit code. Throws Failure, NetyardError or FlagError. */
  run(context: Context, input: CommandInput): Promise<number>;
}

/** A command tree of commander's, as far as completion reads it. */
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

/** A line of the registry: known without loading the command. */
export interface Entry {
  name: string;
  aliases?: readonly string[];
  group?: 'common' | 'management' | 'netyard';
  summary: string;
  load?: () => Promise<CommandSpec>;
  children?: readonly Entry[];
  /** Takes all words as they are: they belong to another parser (`lab`). */
  passThrough?: (context: Context, args: string[]) => Promise<number>;
  /** That parser's own words, for completion. */
  foreign?: () => Promise<ForeignCommand>;
}
