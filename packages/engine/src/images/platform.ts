/** Platforms as `--platform` names them (containerd's platforms.Parse) and whether images are for them. Pure. */
import { NetyardError } from '@netyard/core';
import type { Platform } from '../contract.ts';
import type { ImageRecord } from '../model.ts';

const systems = [
  'linux',
  'windows',
  'darwin',
  'freebsd',
  'netbsd',
  'openbsd',
  'dragonfly',
  'solaris',
  'illumos',
  'aix',
];
const architectures = ['amd64', '386', 'arm', 'arm64', 'ppc64', 'ppc64le', 'mips64', 'mips64le', 'riscv64', 's390x'];
const otherNames: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  'x86-64': 'amd64',
  i386: '386',
  aarch64: 'arm64',
  armhf: 'arm',
  armel: 'arm',
};
const variants: Readonly<Record<string, string>> = { armhf: 'v7', armel: 'v6' };

const invalid = (message: string): NetyardError => new NetyardError('invalid', `${message}: invalid argument`);

/** `linux/arm64/v8`, `linux/arm64`; the system or the architecture alone are completed by the host's. */
export function parsePlatform(text: string, host: Platform): Platform {
  const quoted = JSON.stringify(text);
  const parts = text.toLowerCase().split('/');
  for (const part of parts) {
    if (/^[a-z0-9_.-]+$/.test(part)) continue;
    throw invalid(`${JSON.stringify(part)} is an invalid component of ${quoted}`);
  }
  const [first = '', second, third] = parts;
  if (parts.length > 3) throw invalid(`${quoted}: cannot parse platform specifier`);
  if (second !== undefined) return withOnlyVariant(normalize(first, second, third), third);
  if (systems.includes(first)) return { ...host, os: first };
  if (architectures.includes(otherNames[first] ?? first)) return normalize(host.os, first, undefined);
  throw invalid(`${quoted}: unknown operating system or architecture`);
}

/** One form for each platform: `arm64` without its only variant. */
export function normalize(os: string, architecture: string, variant: string | undefined): Platform {
  const name = otherNames[architecture] ?? architecture;
  const given = variant || variants[architecture];
  const isOnly = (name === 'arm64' && given === 'v8') || (name === 'amd64' && given === 'v1');
  return { os, architecture: name, ...(given === undefined || given === '' || isOnly ? {} : { variant: given }) };
}

/** A platform with three parts keeps arm64's only variant, which error messages show. */
const withOnlyVariant = (platform: Platform, requested: string | undefined): Platform =>
  platform.architecture === 'arm64' && requested !== undefined ? { variant: 'v8', ...platform } : platform;

export const formatPlatform = ({ os, architecture, variant }: Platform): string =>
  [os, architecture, ...(variant ? [variant] : [])].join('/');

/** Whether two texts of the same platform, such as linux/arm64 and linux/arm64/v8, were parsed. */
export const isSamePlatform = (a: Platform, b: Platform): boolean =>
  formatPlatform(normalize(a.os, a.architecture, a.variant)) ===
  formatPlatform(normalize(b.os, b.architecture, b.variant));

/** An image or request without a variant fits every one. */
export function isPlatformOf({ config }: ImageRecord, requested: Platform): boolean {
  const own = normalize(config.os, config.architecture, config.variant);
  const asked = normalize(requested.os, requested.architecture, requested.variant);
  const sameVariant = own.variant === undefined || asked.variant === undefined || own.variant === asked.variant;
  return own.os === asked.os && own.architecture === asked.architecture && sameVariant;
}

/** Docker's error for an image of another platform. */
export function platformMismatch(ref: string, { config }: ImageRecord, requested: Platform): NetyardError {
  return new NetyardError(
    'not-found',
    `image with reference ${ref} was found but its platform (${formatPlatform(config)}) does not match the specified platform (${formatPlatform(requested)})`,
  );
}
