/** The command line of `netyard daemon`, generated from the table of options. */
import { Command, InvalidArgumentError, Option } from 'commander';
import type { RawOptions } from './options.ts';
import { type DaemonOption, daemonOptions, flagOf } from './options.ts';

export interface DaemonFlags {
  options: RawOptions;
  configFile: string | undefined;
}

const examples = `
Examples:
  netyard daemon                                   the socket is /run/netyard/netyard.sock
  netyard daemon --bip 192.168.11.1/24             another subnet for the default bridge
  netyard daemon -H unix:///run/netyard/netyard.sock -H tcp://127.0.0.1:2376 \\
      --tlsverify --tlscacert ca.pem --tlscert cert.pem --tlskey key.pem
  netyard daemon --config-file /etc/netyard/daemon.json

Every option can be set in the configuration file under its dockerd name, such as
  { "bip": "192.168.11.1/24", "icc": false, "insecure-registries": ["10.0.0.9:5000"] }
`;

/** Parses the arguments after `daemon`. Prints help and ends the process for `--help`. */
export function parseFlags(argv: readonly string[], run: (flags: DaemonFlags) => Promise<void>): Promise<Command> {
  return daemonCommand(run).parseAsync([...argv], { from: 'user' });
}

/** The command line as a commander command. */
export function daemonCommand(run: (flags: DaemonFlags) => Promise<void>): Command {
  const command = new Command('netyard daemon')
    .description('Run the engine: serve the Docker Engine API and manage networks and containers')
    .addHelpText('after', examples)
    .option('--config-file <file>', 'JSON file with options')
    .allowExcessArguments(false)
    .showHelpAfterError("See 'netyard daemon --help'.");
  for (const option of daemonOptions) command.addOption(commanderOption(option));
  command.action(async (parsed: Record<string, unknown>) => {
    const given = daemonOptions.filter((option) => parsed[attributeOf(option)] !== undefined);
    const options = Object.fromEntries(given.map((option) => [option.key, parsed[attributeOf(option)]]));
    const file = parsed['configFile'];
    await run({ options, configFile: typeof file === 'string' ? file : undefined });
  });
  return command;
}

const attributeOf = (option: DaemonOption): string =>
  flagOf(option).replace(/-([a-z])/g, (_match, letter: string) => letter.toUpperCase());

function commanderOption(option: DaemonOption): Option {
  const short = option.short === undefined ? '' : `-${option.short}, `;
  const value = option.kind === 'switch' ? ' [bool]' : ` <${option.value ?? 'value'}>`;
  const fallback = option.kind === 'map' ? '' : String(option.default);
  const note = fallback === '' ? option.help : `${option.help} (default ${fallback})`;
  const made = new Option(`${short}--${flagOf(option)}${value}`, note);
  if (option.kind === 'list') {
    made.argParser((text: string, before: string[] | undefined) => [...(before ?? []), text]);
  } else if (option.kind === 'map') {
    made.argParser((text: string, before: Record<string, string> | undefined) => ({ ...before, ...parsePair(text) }));
  } else if (option.kind === 'number') {
    made.argParser(parseNumber);
  } else if (option.kind === 'switch') {
    made.preset('true').argParser(parseSwitch);
  }
  return made;
}

function parseNumber(text: string): number {
  if (/^-?\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError('must be a whole number');
}

function parsePair(text: string): Record<string, string> {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('must be NAME=VALUE');
  return { [text.slice(0, equals)]: text.slice(equals + 1) };
}

/** The booleans of Go's flag package, as in dockerd: `--icc=false`. */
function parseSwitch(text: string): boolean {
  if (/^(1|t|true)$/i.test(text)) return true;
  if (/^(0|f|false)$/i.test(text)) return false;
  throw new InvalidArgumentError('must be true or false');
}
