/** Which capabilities (capabilities(7)) a container gets. Pure. */
import { NetyardError } from '@netyard/core';

/** In the order of their numbers in linux/capability.h. */
export const allCapabilities: readonly string[] = (
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE ' +
  'NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN ' +
  'SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE ' +
  'MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'
)
  .split(' ')
  .map((name) => `CAP_${name}`);

/** Docker's fourteen. */
export const defaultCapabilities: readonly string[] = (
  'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL ' +
  'AUDIT_WRITE'
)
  .split(' ')
  .map((name) => `CAP_${name}`);

/** Names in a mask of /proc/PID/status (CapBnd), hexadecimal. */
export function parseCapabilityMask(hexadecimal: string): string[] {
  const mask = BigInt(`0x${hexadecimal.trim()}`);
  return allCapabilities.filter((_, number) => (mask >> BigInt(number)) & 1n);
}

/** `net_admin`, `CAP_NET_ADMIN`, `ALL` → canonical. Throws `invalid` with Docker's words. */
function parseCapability(text: string, option: string): string {
  const upper = text.trim().toUpperCase();
  if (upper === 'ALL') return 'ALL';
  const name = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  if (!allCapabilities.includes(name)) {
    throw new NetyardError('invalid', `invalid ${option}: unknown capability: "${name}"`);
  }
  return name;
}

/**
 * `--cap-add` and `--cap-drop` as Docker combines them: with ALL added, all but those dropped; with ALL dropped, only
 * those added; else the default ones, less and more. What `available` (this process's bounding set) lacks is left out
 * of ALL and of privileged, for nobody can give it.
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
