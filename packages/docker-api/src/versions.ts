/** Parses and checks API versions: `/v1.43/…`, or no prefix for the newest. Pure. */
import { NetyardError } from '@netyard/core';

export interface ApiVersion {
  major: number;
  minor: number;
}

export const minimumVersion: ApiVersion = { major: 1, minor: 24 };
export const maximumVersion: ApiVersion = { major: 1, minor: 52 };

export const formatVersion = (version: ApiVersion): string => `${version.major}.${version.minor}`;

const isBelow = (a: ApiVersion, b: ApiVersion): boolean =>
  a.major < b.major || (a.major === b.major && a.minor < b.minor);

/** True if the client's version is at least 1.MINOR. */
export const speaks = (version: ApiVersion, minor: number): boolean => !isBelow(version, { major: 1, minor });

/** Throws `invalid` with Docker's message for a version outside the range. */
export function checkVersion(version: ApiVersion): void {
  const asked = formatVersion(version);
  if (isBelow(version, minimumVersion)) {
    const least = formatVersion(minimumVersion);
    throw new NetyardError(
      'invalid',
      `client version ${asked} is too old. Minimum supported API version is ${least}, please upgrade your client to a newer version`,
    );
  }
  if (isBelow(maximumVersion, version)) {
    const most = formatVersion(maximumVersion);
    throw new NetyardError('invalid', `client version ${asked} is too new. Maximum supported API version is ${most}`);
  }
}

/** Splits `/v1.43/containers/json` into version and path; without a prefix the version is the newest. */
export function splitVersion(path: string): { version: ApiVersion; path: string } {
  const match = /^\/v(\d{1,4})\.(\d{1,4})(\/.*)$/.exec(path);
  if (!match) return { version: maximumVersion, path };
  return { version: { major: Number(match[1]), minor: Number(match[2]) }, path: match[3] ?? '/' };
}
