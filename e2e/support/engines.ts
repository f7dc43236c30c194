/**
 * The engines of a scenario: Netyard, and Debian's dockerd as the reference. A scenario states its expectation once, and
 * separately where the text of Docker 20.10 differs from that of later versions.
 *
 *   NETYARD_E2E_ENGINES=dockerd node --test e2e/links.e2e.test.ts      # on Docker
 */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

export type EngineName = 'netyard' | 'dockerd';

export function enginesUnderTest(): EngineName[] {
  const names = (process.env['NETYARD_E2E_ENGINES'] ?? 'netyard').split(',');
  return names.map((name) => {
    if (name === 'netyard' || name === 'dockerd') return name;
    throw new Error(`NETYARD_E2E_ENGINES: unknown engine ${name}`);
  });
}

function hasProgram(program: string): boolean {
  return `${process.env['PATH']}:/usr/sbin:/sbin`.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Why tests cannot run here, for node:test's `skip`; false when they can. */
export function cannotRun(engine: EngineName): string | false {
  if (process.getuid?.() !== 0) return 'needs root: it creates lab hosts';
  const programs = ['docker', 'containerd', ...(engine === 'dockerd' ? ['dockerd', 'iptables'] : [])];
  const missing = programs.filter((program) => !hasProgram(program));
  return missing.length > 0 ? `needs ${missing.join(', ')}: run script/bootstrap` : false;
}
