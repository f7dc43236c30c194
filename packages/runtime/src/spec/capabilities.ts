/** The capabilities (capabilities(7)) of a container. Pure. */
import { allCapabilities, parseCapability } from '@netyard/core';

/** Docker's fourteen. */
export const defaultCapabilities: readonly string[] = (
  'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL ' +
  'AUDIT_WRITE'
)
  .split(' ')
  .map((name) => `CAP_${name}`);

/** Names of a mask in /proc/PID/status (CapBnd), hexadecimal. */
export function parseCapabilityMask(hexadecimal: string): string[] {
  const mask = BigInt(`0x${hexadecimal.trim()}`);
  return allCapabilities.filter((_, number) => (mask >> BigInt(number)) & 1n);
}

/**
 * `--cap-add` and `--cap-drop` as Docker combines them: with ALL added, all but those dropped; with ALL dropped, only
 * those added; else the default ones, plus added, minus dropped. Capabilities missing from `available` (this process's
 * bounding set) are omitted from ALL and from privileged, as they cannot be granted.
 */
export function planCapabilities(
  request: { add: readonly string[]; drop: readonly string[]; privileged: boolean },
  available: readonly string[],
): string[] {
  const add = request.add.map((text) => parseCapability(text, 'CapAdd'));
  const drop = request.drop.map((text) => parseCapability(text, 'CapDrop'));
  const everything = allCapabilities.filter((name) => available.includes(name));
  if (request.privileged) return everything;
  if (add.includes('ALL')) return everything.filter((name) => !drop.includes(name));
  if (drop.includes('ALL')) return allCapabilities.filter((name) => add.includes(name));
  return allCapabilities.filter(
    (name) => (defaultCapabilities.includes(name) && !drop.includes(name)) || add.includes(name),
  );
}
