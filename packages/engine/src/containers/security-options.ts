/** `--security-opt`. SELinux labels are accepted and have no effect. Pure. */
import { NetyardError } from '@netyard/core';
import type { SeccompProfile } from '../ports.ts';
import { parseSeccompProfile } from './seccomp-profile.ts';

export interface SecurityOptions {
  noNewPrivileges: boolean;
  /** undefined: the default profile. */
  seccomp: SeccompProfile | 'unconfined' | undefined;
  /** Of AppArmor; absent: none. */
  apparmorProfile?: string;
}

/** Throws `invalid` with Docker's messages. */
export function parseSecurityOptions(options: readonly string[]): SecurityOptions {
  const parsed: SecurityOptions = { noNewPrivileges: false, seccomp: undefined };
  for (const option of options) {
    if (option === 'no-new-privileges') parsed.noNewPrivileges = true;
    if (option === 'no-new-privileges' || option === 'disable') continue;
    const match = /^([^=:]+)[=:](.*)$/s.exec(option);
    if (!match) throw new NetyardError('invalid', `invalid --security-opt 1: ${JSON.stringify(option)}`);
    const [, key, value = ''] = match;
    if (key === 'seccomp') parsed.seccomp = seccompProfile(value);
    else if (key === 'no-new-privileges' && /^(true|false)$/i.test(value))
      parsed.noNewPrivileges = value.toLowerCase() === 'true';
    else if (key === 'apparmor') parsed.apparmorProfile = value;
    else if (key !== 'label') throw new NetyardError('invalid', `invalid --security-opt 2: ${JSON.stringify(option)}`);
  }
  return parsed;
}

/** Those that this host does nothing with. */
export function warnAboutSecurityOptions(options: readonly string[], hasAppArmor: boolean): string[] {
  const isOf = (key: string) => (option: string) =>
    new RegExp(`^${key}[=:]`).test(option) && !/[=:](unconfined|disable)$/.test(option);
  return [
    ...(options.some(isOf('apparmor')) && !hasAppArmor
      ? ['Your kernel does not support AppArmor or it is disabled. Profile discarded.']
      : []),
    ...(options.some(isOf('label')) ? ['SELinux labels are not supported. Label discarded.'] : []),
  ];
}

function seccompProfile(value: string): SeccompProfile | 'unconfined' | undefined {
  if (value === 'unconfined') return value;
  return value === '' || value === 'builtin' ? undefined : parseSeccompProfile(value);
}
