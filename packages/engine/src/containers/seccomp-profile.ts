/**
 * The profile of `--security-opt seccomp=`: OCI's format, with conditions on capabilities, architectures and the kernel. Pure.
 * https://docs.docker.com/engine/security/seccomp/
 */
import { NetyardError } from '@netyard/core';
import { z } from 'zod';
import { goNumber, goObject, goText, goTexts } from '../go-object.ts';
import type { SeccompProfile } from '../ports.ts';

const optionalNumber = z
  .number()
  .nullish()
  .transform((value) => value ?? undefined);

const condition = goObject({
  caps: goTexts,
  arches: goTexts,
  minKernel: goText.refine((version) => /^(\d+\.\d+)?$/.test(version), 'expected "<kernel>.<major>"'),
}).nullish();
const rule = goObject({
  name: goText,
  names: goTexts,
  action: goText,
  errnoRet: optionalNumber,
  args: z
    .array(goObject({ index: goNumber, value: goNumber, valueTwo: goNumber, op: goText }))
    .nullish()
    .transform((list) => list ?? []),
  includes: condition,
  excludes: condition,
});
const profileSchema = goObject({
  defaultAction: goText,
  defaultErrnoRet: optionalNumber,
  architectures: goTexts,
  flags: goTexts,
  listenerPath: goText,
  listenerMetadata: goText,
  archMap: z
    .array(goObject({ architecture: goText, subArchitectures: goTexts }))
    .nullish()
    .transform((list) => list ?? []),
  syscalls: z
    .array(rule)
    .nullish()
    .transform((list) => list ?? []),
}).nullable();

/** Throws `invalid`. A profile without a default action and without rules, such as `{}`, disables seccomp, as in Docker. */
export function parseSeccompProfile(json: string): SeccompProfile | 'unconfined' {
  const parsed = profileSchema.safeParse(parse(json));
  if (!parsed.success) throw undecodable(describe(parsed.error));
  const profile = parsed.data;
  if (profile === null || (profile.defaultAction === '' && profile.syscalls.length === 0)) return 'unconfined';
  if (profile.architectures.length > 0 && profile.archMap.length > 0) throw both('architectures', 'archMap');
  return { ...profile, syscalls: profile.syscalls.map(namedRule) };
}

function namedRule({ name, names, ...rest }: z.infer<typeof rule>): SeccompProfile['syscalls'][number] {
  if (name !== '' && names.length > 0) throw both('name', 'names');
  return { ...rest, names: name === '' ? names : [name] };
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw undecodable(json.slice(0, 80), cause);
  }
}

function describe({ issues }: z.ZodError): string {
  const [issue] = issues;
  const where = issue && issue.path.length > 0 ? `${issue.path.join('.')}: ` : '';
  return `${where}${issue?.message ?? 'unknown reason'}`;
}

const undecodable = (reason: string, cause?: unknown): NetyardError =>
  new NetyardError('invalid', `Decoding seccomp profile failed: ${reason}`, { cause });

const both = (one: string, other: string): NetyardError =>
  new NetyardError(
    'invalid',
    `both '${one}' and '${other}' are specified in the seccomp profile, use either '${one}' or '${other}'`,
  );
