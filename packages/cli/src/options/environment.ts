/** Parses `KEY=VALUE` of `-e`, `--env-file`, `--label` and `--label-file`. Pure: files are passed as text. */
import { NetyardError } from '@netyard/core';

export interface TextFile {
  name: string;
  text: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Files first, then flags. A bare name takes its value from `env`, and is omitted if it has none there. */
export function readEnvironment(files: readonly TextFile[], flags: readonly string[], env: Environment): string[] {
  const lines = files.flatMap((file) => fileLines(file, env));
  for (const flag of flags) {
    if (flag === '' || flag.startsWith('=')) throw new NetyardError('invalid', `invalid environment variable: ${flag}`);
    if (flag.includes('=')) lines.push(flag);
    else if (env[flag] !== undefined) lines.push(`${flag}=${env[flag]}`);
    else lines.push(flag);
  }
  return lines;
}

/** A label flag without `=` has an empty value; in a file such a line is ignored. */
export function readLabels(files: readonly TextFile[], flags: readonly string[]): Record<string, string> {
  return keyValues([...files.flatMap((file) => fileLines(file, {})), ...flags]);
}

export function keyValues(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => {
      const [key = '', ...value] = line.split('=');
      return [key, value.join('=')];
    }),
  );
}

/** Lines of an `--env-file` without comments and blank lines. `env` undefined: bare names are unchanged. */
export function fileLines(file: TextFile, env: Environment): string[] {
  const lines: string[] = [];
  for (const raw of file.text.replace(/^\uFEFF/, '').split(/\r?\n/)) {
    const line = raw.trimStart();
    if (line === '' || line.startsWith('#')) continue;
    const split = line.indexOf('=');
    const name = split === -1 ? line : line.slice(0, split);
    const wrong = (text: string): NetyardError =>
      new NetyardError('invalid', `invalid env file (${file.name}): ${text}`);
    if (/\s/.test(name.trimEnd()) || (split !== -1 && /\s$/.test(name))) {
      throw wrong(`variable '${name}' contains whitespaces`);
    }
    if (name === '') throw wrong(`no variable name on line '${line}'`);
    if (split !== -1) lines.push(line);
    else if (env[line.trim()] !== undefined) lines.push(`${line.trim()}=${env[line.trim()]}`);
  }
  return lines;
}
