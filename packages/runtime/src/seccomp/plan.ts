/**
 * The seccomp filter of a container: Netyard's default one, as strict as Docker's, or a user's profile. Pure. See
 * seccomp(2), seccomp_rule_add(3), and the OCI runtime specification, "Seccomp".
 */
import { messageOf, NetyardError } from '@netyard/core';
import { z } from 'zod';
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

/**
 * `profile`: undefined for the default, else the JSON of `--security-opt seccomp=FILE`. Throws `invalid` for an invalid
 * profile.
 */
export function planSeccomp(
  profile: string | undefined,
  capabilities: readonly string[],
  architecture: string,
): OciSeccomp {
  return profile === undefined
    ? planDefault(capabilities, architecture)
    : planCustom(profile, capabilities, architecture);
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

/** The format of `--security-opt seccomp=`: OCI's, with conditions on capabilities and architectures. */
const condition = z.object({ caps: z.array(z.string()).optional(), arches: z.array(z.string()).optional() });
const custom = z.object({
  defaultAction: z.string(),
  defaultErrnoRet: z.number().optional(),
  architectures: z.array(z.string()).optional(),
  archMap: z.array(z.object({ architecture: z.string(), subArchitectures: z.array(z.string()).nullish() })).optional(),
  syscalls: z
    .array(
      z.object({
        name: z.string().optional(),
        names: z.array(z.string()).optional(),
        action: z.string(),
        errnoRet: z.number().optional(),
        args: z
          .array(z.object({ index: z.number(), value: z.number(), valueTwo: z.number().optional(), op: z.string() }))
          .nullish(),
        includes: condition.nullish(),
        excludes: condition.nullish(),
      }),
    )
    .nullish(),
});
type CustomRule = NonNullable<z.infer<typeof custom>['syscalls']>[number];

const goArchitecture: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

function planCustom(profile: string, capabilities: readonly string[], architecture: string): OciSeccomp {
  const parsed = parseProfile(profile);
  const own = architectures[architecture]?.[0];
  const mapped = parsed.archMap?.find((entry) => entry.architecture === own);
  const fromMap = mapped ? [mapped.architecture, ...(mapped.subArchitectures ?? [])] : [];
  const applies = (rule: CustomRule): boolean => {
    const held = (caps: readonly string[] = []): boolean => caps.every((name) => capabilities.includes(name));
    const here = (arches: readonly string[] = []): boolean =>
      arches.length === 0 || arches.includes(goArchitecture[architecture] ?? architecture);
    const { includes, excludes } = rule;
    if (includes && !(held(includes.caps) && here(includes.arches))) return false;
    if (excludes?.caps?.some((name) => capabilities.includes(name))) return false;
    return !excludes?.arches?.includes(goArchitecture[architecture] ?? architecture);
  };
  return {
    defaultAction: parsed.defaultAction,
    ...(parsed.defaultErrnoRet === undefined ? {} : { defaultErrnoRet: parsed.defaultErrnoRet }),
    architectures: parsed.architectures ?? fromMap,
    syscalls: (parsed.syscalls ?? []).filter(applies).map(customRule),
  };
}

function customRule(rule: CustomRule): OciSeccompRule {
  const args = rule.args?.map(({ valueTwo, ...rest }) => ({
    ...rest,
    ...(valueTwo === undefined ? {} : { valueTwo }),
  }));
  return {
    names: rule.names ?? (rule.name === undefined ? [] : [rule.name]),
    action: rule.action,
    ...(rule.errnoRet === undefined ? {} : { errnoRet: rule.errnoRet }),
    ...(args && args.length > 0 ? { args } : {}),
  };
}

function parseProfile(text: string): z.infer<typeof custom> {
  try {
    return custom.parse(JSON.parse(text));
  } catch (error) {
    throw new NetyardError('invalid', `Decoding seccomp profile failed: ${messageOf(error)}`, { cause: error });
  }
}
