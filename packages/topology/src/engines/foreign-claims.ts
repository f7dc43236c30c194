/**
 * What an engine of another user may claim. Its socket may be a program that only looks like an engine, and this process is
 * often root: of such an engine no path is followed, and a process counts as a container's only if it is that user's.
 */
import { readFileSync, statSync } from 'node:fs';
import type { EngineContainer } from './report.ts';

/** @param owner of the engine's socket; undefined: several users */
export function isTrusted(owner: number | undefined, ownUid = process.getuid?.() ?? 0): boolean {
  return owner === 0 || owner === ownUid;
}

/** The container without claims that its engine's owner could not make true. */
export function withoutForeignClaims(container: EngineContainer, owner: number | undefined): EngineContainer {
  const { pid, sandboxPath: _sandbox, hostsPath: _hosts, resolvConfPath: _resolvConf, ...rest } = container;
  const marked = { ...rest, owner: owner ?? ('several users' as const) };
  return pid !== undefined && owner !== undefined && isProcessOf(pid, owner) ? { ...marked, pid } : marked;
}

/** Whether a process runs as a user, or in a user namespace that maps this user (user_namespaces(7)), as rootless containers. */
function isProcessOf(pid: number, uid: number): boolean {
  try {
    if (statSync(`/proc/${pid}`).uid === uid) return true;
    return mapsOnly(readFileSync(`/proc/${pid}/uid_map`, 'utf8'), uid);
  } catch {
    return false; // it has ended, or cannot be seen
  }
}

/** A line `INSIDE OUTSIDE COUNT` maps the user. The initial user namespace maps all users, and belongs to none. */
export function mapsOnly(uidMap: string, uid: number): boolean {
  const lines = uidMap
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
  const mapsRoot = lines.some(([, outside = 0]) => outside === 0);
  return !mapsRoot && lines.some(([, outside = 0, count = 0]) => uid >= outside && uid < outside + count);
}
