/** Placeholders in the command lines of services. Pure. */
import { formatIp, parsePrefix } from '@netyard/core';
import type { LabHost } from './definition.ts';
import { hostLayout } from './layout.ts';

/** `{name}`, but not a shell's `${name}`. */
const placeholder = /(?<!\$)\{([a-z]+)\}/g;
const known = ['host', 'address', 'state'] as const;

/** The first unknown placeholder of a line. */
export function unknownPlaceholder(line: string): string | undefined {
  const found = [...line.matchAll(placeholder)];
  return found.find(([, name]) => !known.some((one) => one === name))?.[0];
}

/**
 * Substitutes placeholders: `{host}` is the host's name, `{address}` its first address without prefix length, `{state}`
 * a folder that persists when the host is killed and is deleted with the lab.
 */
export function fillIn(line: string, lab: string, host: LabHost): string {
  const [uplink] = host.uplinks;
  const values: Record<string, string> = {
    host: host.name,
    address: uplink ? formatIp(parsePrefix(uplink.address)) : '',
    state: hostLayout(lab, host.name).state,
  };
  return line.replaceAll(placeholder, (whole, name: string) => values[name] ?? whole);
}
