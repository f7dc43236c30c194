/** The environment of a container's processes, assembled as in Docker. Pure. */
import type { ContainerRecord } from '../model.ts';

const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** `NAME=value` replaces in place or appends; `NAME` alone removes. */
export function mergeEnv(base: readonly string[], overrides: readonly string[]): string[] {
  const merged = new Map(base.map((entry) => [nameOf(entry), entry]));
  for (const entry of overrides) {
    if (entry.includes('=')) merged.set(nameOf(entry), entry);
    else merged.delete(entry);
  }
  return [...merged.values()];
}

/** PATH, HOSTNAME, TERM, variables of links, then the container's own, then those of an exec. */
export function processEnv(
  record: Pick<ContainerRecord, 'process'>,
  options: { hostname: string; tty: boolean; links: readonly string[]; extra?: readonly string[] },
): string[] {
  const base = [defaultPath, `HOSTNAME=${options.hostname}`, ...(options.tty ? ['TERM=xterm'] : []), ...options.links];
  return mergeEnv(mergeEnv(base, record.process.env), options.extra ?? []);
}

const nameOf = (entry: string): string => {
  const equals = entry.indexOf('=');
  return equals < 0 ? entry : entry.slice(0, equals);
};
