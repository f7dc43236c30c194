/** The network namespaces of this host: those of processes, and those that programs have pinned (bind mounts). */
import { readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { netnsDirectory, netnsExists } from '@netyard/kernel';
import type { NamespaceProcess } from './processes.ts';

/** A namespace before its contents are observed. */
export interface FoundNamespace {
  id: string;
  /** A path that opens it. */
  path: string;
  /** Where it is pinned. */
  pins: string[];
  isHost: boolean;
  processes: { pid: number; name: string }[];
}

/** Of ip netns, CNI, Netyard and Podman; and of dockerd. */
const directories = [netnsDirectory, '/run/docker/netns'];

/** Directories of pinned namespaces: the usual ones and those of users' engines. Existing or not. */
export function pinDirectories(): string[] {
  let users: string[] = [];
  try {
    users = readdirSync('/run/user').sort();
  } catch {
    // no user is logged in
  }
  return [...directories, ...users.flatMap((user) => [`/run/user/${user}/netns`, `/run/user/${user}/docker/netns`])];
}

export interface Pins {
  /** Paths by the namespace's id. */
  pins: Map<string, string[]>;
  problems: string[];
}

/** Namespaces pinned in these directories, and at these paths. */
export function findPins(directories: readonly string[], paths: readonly string[]): Pins {
  const pins = new Map<string, string[]>();
  const problems: string[] = [];
  const add = (path: string): boolean => {
    const id = namespaceIdAt(path);
    if (id === undefined) return false;
    const known = pins.get(id) ?? [];
    if (!known.includes(path)) pins.set(id, [...known, path]);
    return true;
  };
  for (const directory of directories) {
    const stale = listDirectory(directory).filter((name) => !add(join(directory, name)));
    if (stale.length > 0) problems.push(staleText(directory, stale));
  }
  for (const path of paths) add(path);
  return { pins, problems };
}

/** Pure. */
export function staleText(directory: string, names: readonly string[]): string {
  const shown = names.length > 5 ? [...names.slice(0, 5), `${names.length - 5} more`] : names;
  const [what, are] = names.length === 1 ? ['an entry', 'is'] : ['entries', 'are'];
  return `${directory} has ${what} that ${are} no namespace here, stale or mounted elsewhere: ${shown.join(', ')}`;
}

/** Undefined when no namespace is pinned at the path. */
export function namespaceIdAt(path: string): string | undefined {
  try {
    return netnsExists(path) ? statSync(path, { bigint: true }).ino.toString() : undefined;
  } catch {
    return undefined; // ended meanwhile, or not permitted
  }
}

function listDirectory(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch {
    return []; // absent
  }
}

/** One entry per namespace, the host's first. Pure. */
export function joinNamespaces(
  host: { id: string; path: string },
  pins: ReadonlyMap<string, readonly string[]>,
  processes: readonly NamespaceProcess[],
): FoundNamespace[] {
  const byNamespace = Map.groupBy(processes, ({ namespaceId }) => namespaceId);
  const ids = new Set([host.id, ...pins.keys(), ...byNamespace.keys()]);
  return [...ids].map((id) => {
    const inside = (byNamespace.get(id) ?? []).map(({ pid, name }) => ({ pid, name }));
    const paths = [...(pins.get(id) ?? [])];
    const path = id === host.id ? host.path : (paths[0] ?? `/proc/${inside[0]?.pid}/ns/net`);
    return { id, path, pins: paths, isHost: id === host.id, processes: inside };
  });
}

/** The name under which a namespace is pinned, preferably by ip netns. Pure. */
export function pinnedName(pins: readonly string[]): string | undefined {
  const path = pins.find((pin) => pin.startsWith(`${netnsDirectory}/`)) ?? pins[0];
  return path === undefined ? undefined : basename(path);
}
