/**
 * The seccomp filter of a container: Netyard's default one, as strict as Docker's, or a user's profile. Pure. See
 * seccomp(2), seccomp_rule_add(3), and the OCI runtime specification, "Seccomp".
 */
import type { SeccompProfile, SeccompProfileRule } from '@netyard/engine';
import type { OciSeccomp, OciSeccompRule } from '../oci.ts';
import { allowedSyscalls, syscallsByCapability } from './syscalls.ts';

const EPERM = 1;
const ENOSYS = 38;
const allow = 'SCMP_ACT_ALLOW';
const refuse = 'SCMP_ACT_ERRNO';

/** Includes the 32-bit programs of a 64-bit machine: without their architecture they could not run at all. */
const architectures: Readonly<Record<string, string[]>> = {
  x64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
};

/** Every CLONE_NEW… flag of clone(2): threads and children without one are always allowed. */
const namespaceFlags = 0x7e020000;
/** personality(2): Linux, 16-bit uids, both without address randomisation, and the query. */
const personalities = [0x0, 0x0008, 0x20000, 0x20008, 0xffffffff];
/** Address families that reach the host past every namespace (vsock) or the kernel's crypto API (alg). */
const AF_ALG = 38;
const AF_VSOCK = 40;

/** What conditions of a profile are about. */
export interface SeccompHost {
  /** Node's `process.arch`. */
  architecture: string;
  /** Its release, such as `6.12.3-amd64`. */
  kernel: string;
}

/** @param profile undefined: the default one */
export function planSeccomp(
  profile: SeccompProfile | undefined,
  capabilities: readonly string[],
  host: SeccompHost,
): OciSeccomp {
  return profile === undefined ? planDefault(capabilities, host.architecture) : planCustom(profile, capabilities, host);
}

function planDefault(capabilities: readonly string[], architecture: string): OciSeccomp {
  const granted = capabilities.flatMap((name) => syscallsByCapability[name]?.split(' ') ?? []);
  return {
    defaultAction: refuse,
    defaultErrnoRet: EPERM,
    architectures: architectures[architecture] ?? [],
    syscalls: [
      { names: [...allowedSyscalls], action: allow },
      ...(granted.length > 0 ? [{ names: [...new Set(granted)], action: allow }] : []),
      ...planPersonality(),
      ...planSocket(),
      ...(granted.includes('clone') ? [] : planClone()),
    ],
  };
}

function planPersonality(): OciSeccompRule[] {
  return personalities.map((value) => ({
    names: ['personality'],
    action: allow,
    args: [{ index: 0, value, op: 'SCMP_CMP_EQ' }],
  }));
}

/**
 * All families except two. Several conditions on one argument would be combined with "and": hence a rule for each
 * range.
 */
function planSocket(): OciSeccompRule[] {
  const rule = (op: string, value: number): OciSeccompRule => ({
    names: ['socket'],
    action: allow,
    args: [{ index: 0, value, op }],
  });
  return [rule('SCMP_CMP_LT', AF_ALG), rule('SCMP_CMP_EQ', AF_ALG + 1), rule('SCMP_CMP_GT', AF_VSOCK)];
}

/**
 * clone without new namespaces; clone3 has its flags in memory, where no filter sees them: ENOSYS makes libraries fall
 * back to clone.
 */
function planClone(): OciSeccompRule[] {
  return [
    {
      names: ['clone'],
      action: allow,
      args: [{ index: 0, value: namespaceFlags, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
    },
    { names: ['clone3'], action: refuse, errnoRet: ENOSYS },
  ];
}

const goArchitecture: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

function planCustom(profile: SeccompProfile, capabilities: readonly string[], host: SeccompHost): OciSeccomp {
  const own = architectures[host.architecture]?.[0];
  const mapped = profile.archMap.find((entry) => entry.architecture === own);
  const fromMap = mapped ? [mapped.architecture, ...mapped.subArchitectures] : [];
  const { defaultAction, defaultErrnoRet, flags, listenerPath, listenerMetadata } = profile;
  return {
    defaultAction,
    ...(defaultErrnoRet === undefined ? {} : { defaultErrnoRet }),
    architectures: profile.architectures.length > 0 ? [...profile.architectures] : fromMap,
    ...(flags.length > 0 ? { flags: [...flags] } : {}),
    ...(listenerPath === '' ? {} : { listenerPath }),
    ...(listenerMetadata === '' ? {} : { listenerMetadata }),
    syscalls: profile.syscalls.filter((rule) => applies(rule, capabilities, host)).map(customRule),
  };
}

function applies(
  { includes, excludes }: SeccompProfileRule,
  capabilities: readonly string[],
  { architecture, kernel }: SeccompHost,
): boolean {
  const isHeld = (name: string): boolean => capabilities.includes(name);
  const arch = goArchitecture[architecture] ?? architecture;
  if (includes) {
    const { caps, arches, minKernel } = includes;
    if (!caps.every(isHeld) || (arches.length > 0 && !arches.includes(arch))) return false;
    if (minKernel !== '' && !isAtLeast(kernel, minKernel)) return false;
  }
  if (!excludes) return true;
  const { caps, arches, minKernel } = excludes;
  return !(caps.some(isHeld) || arches.includes(arch) || (minKernel !== '' && isAtLeast(kernel, minKernel)));
}

/** @param kernel its release, such as `6.12.3-amd64` */
function isAtLeast(kernel: string, minimum: string): boolean {
  const numbers = (version: string): number[] => version.split(/[^\d]/, 2).map(Number);
  const [major = 0, minor = 0] = numbers(kernel);
  const [minMajor = 0, minMinor = 0] = numbers(minimum);
  return major === minMajor ? minor >= minMinor : major > minMajor;
}

function customRule({ names, action, errnoRet, args }: SeccompProfileRule): OciSeccompRule {
  return {
    names: [...names],
    action,
    ...(errnoRet === undefined ? {} : { errnoRet }),
    ...(args.length > 0 ? { args: args.map((argument) => ({ ...argument })) } : {}),
  };
}
