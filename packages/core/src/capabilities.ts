/** Capability names (capabilities(7)) as accepted by `--cap-add` and `--cap-drop`. Pure. */
import { NetyardError } from './errors.ts';

/** In numerical order of linux/capability.h. */
export const allCapabilities: readonly string[] = (
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE ' +
  'NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN ' +
  'SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE ' +
  'MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'
)
  .split(' ')
  .map((name) => `CAP_${name}`);

/** `net_admin`, `CAP_NET_ADMIN`, `ALL` → `CAP_NET_ADMIN`, `ALL`. Throws `invalid` with Docker's message. */
export function parseCapability(text: string, option: string): string {
  const upper = text.trim().toUpperCase();
  if (upper === 'ALL') return 'ALL';
  const name = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  if (!allCapabilities.includes(name)) {
    throw new NetyardError('invalid', `invalid ${option}: unknown capability: "${name}"`);
  }
  return name;
}
