/** Building blocks of shell command lines. Pure. */
import { netnsDirectory } from '../../system/netns.ts';

/** Formats a shell word of sh(1), quoted when necessary. */
export function quoteWord(word: string): string {
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A command line of words; empty ones are omitted. */
export const line = (...words: (string | undefined)[]): string =>
  words
    .filter((word) => word !== undefined && word !== '')
    .map((word) => quoteWord(word ?? ''))
    .join(' ');

/** A here-document whose delimiter does not occur in the text. */
export function hereDocument(command: string, text: string, delimiter: string): string {
  const lines = text.split('\n');
  while (lines.includes(delimiter)) delimiter = `${delimiter}_`;
  return `${command} <<'${delimiter}'\n${text}${text.endsWith('\n') ? '' : '\n'}${delimiter}`;
}

/** The name by which `ip -n` finds a namespace, or undefined. */
export function netnsName(path: string): string | undefined {
  const name = path.startsWith(`${netnsDirectory}/`) ? path.slice(netnsDirectory.length + 1) : '';
  return name === '' || name.includes('/') ? undefined : name;
}

/** `ip` or `bridge`, executed in a namespace. */
export function tool(program: 'ip' | 'bridge', ns: string | undefined): string[] {
  if (ns === undefined) return [program];
  const name = netnsName(ns);
  return name === undefined ? ['nsenter', `--net=${ns}`, program] : [program, '-n', name];
}

export const inside = (ns: string | undefined): string[] => (ns === undefined ? [] : ['nsenter', `--net=${ns}`]);

/** `key value` when there is a value. */
export const option = (key: string, value: string | number | undefined): string[] =>
  value === undefined ? [] : [key, String(value)];

export const onOff = (key: string, value: boolean | undefined): string[] =>
  value === undefined ? [] : [key, value ? 'on' : 'off'];

/** Commands that create, change and delete one kind of object. */
export interface EquivalentCommand<O> {
  create(object: O): string[];
  change(object: O): string[];
  delete(object: O): string[];
}
