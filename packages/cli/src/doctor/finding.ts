/** What `doctor` found: one thing, in one sentence, with its cure. Pure words; the looking is in checks.ts. */

/** broken: containers will not start or not reach each other. warning: it may surprise. ok: as it should be. */
export type Severity = 'ok' | 'warning' | 'broken';

export interface Finding {
  check: string;
  severity: Severity;
  message: string;
  /** What to do about it; absent when all is well. */
  cure?: string;
}

const marks: Readonly<Record<Severity, string>> = { ok: 'ok', warning: '! ', broken: 'x ' };

export function renderFindings(findings: readonly Finding[]): string {
  const longest = Math.max(...findings.map(({ check }) => check.length));
  const lines = findings.flatMap(({ check, severity, message, cure }) => [
    `${marks[severity].padEnd(3)} ${check.padEnd(longest)}  ${message}`,
    ...(cure === undefined ? [] : [`${' '.repeat(longest + 4)}  -> ${cure}`]),
  ]);
  const broken = findings.filter(({ severity }) => severity === 'broken').length;
  const warnings = findings.filter(({ severity }) => severity === 'warning').length;
  const verdict =
    broken > 0
      ? `${broken} broken, ${warnings} to look at.`
      : warnings > 0
        ? `Nothing broken, ${warnings} to look at.`
        : 'All is well.';
  return `${lines.join('\n')}\n\n${verdict}\n`;
}

/** The cure for something missing, by the package that Debian and Fedora have it in. */
export const install = (debian: string, fedora = debian): string =>
  debian === fedora
    ? `apt-get install ${debian}   (or dnf install ${debian})`
    : `apt-get install ${debian}   (or dnf install ${fedora})`;
