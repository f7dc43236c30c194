/** Findings of `doctor` and their text. Pure. */

/**
 * broken: containers do not start or cannot reach each other. warning: some features may fail. info: nothing is wrong,
 * but an administrator should know it.
 */
export type Grade = 'ok' | 'info' | 'warning' | 'broken';

export interface Finding {
  /** The kind of check. */
  id: string;
  grade: Grade;
  /** Names the object. */
  text: string;
  /** An instruction; absent where nothing has to be done. */
  fix?: string;
}

const marks: Readonly<Record<Grade, string>> = { ok: 'ok', info: 'i ', warning: '! ', broken: 'x ' };

export function renderFindings(findings: readonly Finding[]): string {
  const longest = Math.max(...findings.map(({ id }) => id.length));
  const lines = findings.flatMap(({ id, grade, text, fix }) => [
    `${marks[grade].padEnd(3)} ${id.padEnd(longest)}  ${text}`,
    ...(fix === undefined ? [] : [`${' '.repeat(longest + 4)}  -> ${fix}`]),
  ]);
  const count = (counted: Grade): number => findings.filter(({ grade }) => grade === counted).length;
  const [broken, warnings] = [count('broken'), count('warning')];
  const counted = `${warnings} ${warnings === 1 ? 'warning' : 'warnings'}.`;
  const verdict =
    broken > 0 ? `${broken} broken, ${counted}` : warnings > 0 ? `Nothing broken, ${counted}` : 'No problems found.';
  return `${lines.join('\n')}\n\n${verdict}\n`;
}

/** The command that installs a package, by its names in Debian and Fedora. */
export const install = (debian: string, fedora = debian): string =>
  debian === fedora
    ? `run \`apt-get install ${debian}\` or \`dnf install ${debian}\``
    : `run \`apt-get install ${debian}\` or \`dnf install ${fedora}\``;
