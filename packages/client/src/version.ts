/** Negotiates the API version of client and daemon. Pure. */

/** Newest version this client supports; its request bodies have this version. */
export const newestApiVersion = '1.51';
const oldestApiVersion = '1.24';

export function compareVersions(a: string, b: string): number {
  const [aMajor = 0, aMinor = 0] = a.split('.').map(Number);
  const [bMajor = 0, bMinor = 0] = b.split('.').map(Number);
  return aMajor - bMajor || aMinor - bMinor;
}

/** `offered`: the Api-Version header of `/_ping`; a daemon without it is older than the header. */
export function negotiateVersion(offered: string | undefined): string {
  if (offered === undefined || !/^\d+\.\d+$/.test(offered)) return oldestApiVersion;
  return compareVersions(offered, newestApiVersion) < 0 ? offered : newestApiVersion;
}
