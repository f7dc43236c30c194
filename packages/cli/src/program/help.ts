/** Formats `--help` in the docker CLI's layout. Pure. */
import { type FlagSpec, helpFlag } from './flags.ts';
import type { CommandSpec, Entry } from './spec.ts';

const width = 80;

export function commandHelp(command: string, summary: string, spec: CommandSpec, names: readonly string[]): string {
  const parts = [`Usage:  ${usageLine(command, spec)}`, summary];
  if (spec.description) parts.push(spec.description);
  if (names.length > 1) parts.push(`Aliases:\n  ${names.join(', ')}`);
  const flags = spec.flags.filter((flag) => !flag.hidden);
  if (flags.length > 0) parts.push(`Options:\n${flagLines([...flags, helpFlag])}`);
  if (spec.examples.length > 0) parts.push(`Examples:\n${spec.examples.map((line) => `  ${line}`).join('\n')}`);
  return `${parts.join('\n\n')}\n`;
}

export const usageLine = (command: string, spec: CommandSpec): string => `${command} ${spec.usage}`.trim();

export function groupHelp(command: string, entry: Entry): string {
  const lines = entryLines(entry.children ?? []);
  return `Usage:  ${command} COMMAND\n\n${entry.summary}\n\nCommands:\n${lines}\n\nRun '${command} COMMAND --help' for more information on a command.\n`;
}

export function rootHelp(entries: readonly Entry[], flags: readonly FlagSpec[]): string {
  const of = (group: Entry['group']): string => entryLines(entries.filter((entry) => entry.group === group));
  return [
    'Usage:  netyard [OPTIONS] COMMAND',
    'A container engine with transparent networking',
    `Common Commands:\n${of('common')}`,
    `Management Commands:\n${of('management')}`,
    `Netyard's own Commands:\n${of('netyard')}`,
    `Commands:\n${of(undefined)}`,
    `Global Options:\n${flagLines([...flags, helpFlag])}`,
    "Run 'netyard COMMAND --help' for more information on a command.",
  ]
    .join('\n\n')
    .concat('\n');
}

function entryLines(entries: readonly Entry[]): string {
  const longest = Math.max(...entries.map((entry) => entry.name.length));
  return entries.map((entry) => `  ${entry.name.padEnd(longest)}  ${entry.summary}`).join('\n');
}

function flagLines(flags: readonly FlagSpec[]): string {
  const heads = flags.map((flag) => {
    const short = flag.short ? `-${flag.short}, ` : '    ';
    return `  ${short}--${flag.name}${flag.type === 'bool' ? '' : ` ${flag.type}`}`;
  });
  const column = Math.max(...heads.map((head) => head.length)) + 3;
  return flags
    .map((flag, index) => {
      const shownDefault = flag.default ? ` (default ${quoted(flag)})` : '';
      const lines = wrap(`${flag.help}${shownDefault}`, Math.max(24, width - column));
      return (heads[index] ?? '').padEnd(column) + lines.join(`\n${' '.repeat(column)}`);
    })
    .join('\n');
}

const quoted = (flag: FlagSpec): string => (flag.type === 'string' ? `"${flag.default}"` : (flag.default ?? ''));

function wrap(text: string, columns: number): string[] {
  return text.split('\n').flatMap((paragraph) => {
    const lines: string[] = [''];
    for (const word of paragraph.split(' ')) {
      const line = lines.at(-1) ?? '';
      if (line !== '' && line.length + 1 + word.length > columns) lines.push(word);
      else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
    }
    return lines;
  });
}
