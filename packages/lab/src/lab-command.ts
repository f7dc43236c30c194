/** commander's Command with the error messages of Netyard's other commands. */
import { Command, CommanderError, type ErrorOptions } from 'commander';

/** Exit code of the docker command for an invalid flag. */
const badFlag = 125;

/** Throws a CommanderError with the complete text for stderr, where commander would exit. */
export class LabCommand extends Command {
  override createCommand(name?: string): LabCommand {
    return new LabCommand(name);
  }

  override error(message: string, { code = '' }: ErrorOptions = {}): never {
    const path = this.parent ? `${this.parent.name()} ${this.name()}` : this.name();
    const text = describeUsageError(path, this.registeredArguments, code, message.replace(/^error: /, ''));
    const end = `Usage:  ${path} ${this.usage()}\n\nRun '${path} --help' for more information`;
    throw new CommanderError(/option/i.test(code) ? badFlag : 1, code, `${text}\n\n${end}`);
  }
}

function describeUsageError(path: string, args: Command['registeredArguments'], code: string, message: string): string {
  const [, dashes = '', quoted = ''] = /'(-{0,2})([^' ]*)/.exec(message) ?? [];
  if (code === 'commander.unknownCommand') return `netyard: unknown command: ${path} ${quoted}`;
  if (code === 'commander.unknownOption')
    return dashes === '-' ? `unknown shorthand flag: '${quoted.charAt(0)}' in -${quoted}` : `unknown flag: --${quoted}`;
  if (code === 'commander.optionMissingArgument') return `flag needs an argument: --${quoted}`;
  if (code === 'commander.missingArgument' || code === 'commander.excessArguments') {
    const least = args.filter(({ required }) => required).length;
    const isOpen = args.some(({ variadic }) => variadic);
    const plural = `${least} argument${least === 1 ? '' : 's'}`;
    if (args.length === 0) return `netyard: '${path}' accepts no arguments`;
    return `netyard: '${path}' requires ${isOpen ? 'at least ' : ''}${plural}`;
  }
  const [, value, name = '', why = ''] = /value '(.*)' is invalid for argument '(.*)'\. (.*?)\.?$/s.exec(message) ?? [];
  if (value === undefined) return message;
  return `invalid argument ${JSON.stringify(value)} for ${name.toUpperCase()}: ${why.charAt(0).toLowerCase()}${why.slice(1)}`;
}
