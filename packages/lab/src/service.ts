/** The words of a lab file's services: what stands for what in their lines. Pure. */
import { formatIp, parsePrefix } from '@netyard/core';
import type { LabHost } from './definition.ts';
import { hostLayout } from './layout.ts';

/** `{word}`, but not a shell's `${word}`. */
const placeholder = /(?<!\$)\{([a-z]+)\}/g;
const known = ['host', 'address', 'state'] as const;

/** The first `{word}` of a line that means nothing. */
export function unknownPlaceholder(line: string): string | undefined {
  const words = [...line.matchAll(placeholder)];
  return words.find(([, word]) => !known.some((one) => one === word))?.[0];
}

/**
 * A line as it is run: `{host}` is the host's name, `{address}` its first address without length, `{state}` a folder
 * that outlives the host's being killed and ends with the lab.
 */
export function fillIn(line: string, lab: string, host: LabHost): string {
  const [uplink] = host.uplinks;
  const values: Record<string, string> = {
    host: host.name,
    address: uplink ? formatIp(parsePrefix(uplink.address)) : '',
    state: hostLayout(lab, host.name).state,
  };
  return line.replaceAll(placeholder, (whole, word: string) => values[word] ?? whole);
}
