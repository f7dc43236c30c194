/** Findings of `doctor` and their text. Pure. */

/** broken: containers do not start or cannot reach each other. warning: some features may fail. */
export type Severity = 'ok' | 'warning' | 'broken';

export interface Finding {
  check: string;
  severity: Severity;
  message: string;
  /** An instruction; absent if the check passes. */
  fix?: string;
}

const marks: Readonly<Record<Severity, string>> = { ok: 'ok', warning: '! ', broken: 'x ' };

export function renderFindings(findings: readonly Finding[]): string {
  const longest = Math.max(...findings.map(({ check }) => check.length));
  const lines = findings.flatMap(({ check, severity, message, fix }) => [
    `${marks[severity].padEnd(3)} ${check.padEnd(longest)}  ${message}`,
    ...(fix === undefined ? [] : [`${' '.repeat(longest + 4)}  -> ${fix}`]),
  ]);
  const broken = findings.filter(({ severity }) => severity === 'broken').length;
  const warnings = findings.filter(({ severity }) => severity === 'warning').length;
  const verdict =
    broken > 0
      ? `${broken} broken, ${warnings} warnings.`
      : warnings > 0
        ? `Nothing broken, ${warnings} warnings.`
        : 'No problems found.';
  return `${lines.join('\n')}\n\n${verdict}\n`;
}

/** The command that installs a package, by its names in Debian and Fedora. */
export const install = (debian: string, fedora = debian): string =>
  debian === fedora
    ? `run \`apt-get install ${debian}\` or \`dnf install ${debian}\``
    : `run \`apt-get install ${debian}\` or \`dnf install ${fedora}\``;
