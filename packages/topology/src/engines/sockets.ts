/** Sockets on which engines of this host may answer the Docker Engine API. */
import { readdirSync, realpathSync, type Stats, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { defaultHost, parseAddress } from '@netyard/client';
import type { EngineKind } from '../model.ts';

export interface EngineSocket {
  path: string;
  /** By its path; who answers may be another: Podman can take the place of dockerd's socket. */
  guess: EngineKind;
  /** Who can put another engine in its place: a user id, 0 for root alone, undefined for several users. */
  owner: number | undefined;
}

/** A usual place of sockets. */
type Place = Pick<EngineSocket, 'path' | 'guess'>;

const usual: readonly Place[] = [
  { path: defaultHost.replace('unix://', ''), guess: 'netyard' },
  { path: '/run/docker.sock', guess: 'docker' },
  { path: '/var/run/docker.sock', guess: 'docker' },
  { path: '/run/podman/podman.sock', guess: 'podman' },
];

/** Of users' own engines (rootless). */
const perUser: readonly Place[] = [
  { path: 'docker.sock', guess: 'docker' },
  { path: 'podman/podman.sock', guess: 'podman' },
];

/**
 * Existing sockets, each once. `env`: NETYARD_HOST and DOCKER_HOST, if they name a unix socket; an engine behind another
 * address is not on this host.
 */
export function findEngineSockets(
  env: Readonly<Record<string, string | undefined>>,
  more: readonly string[] = [],
): EngineSocket[] {
  const named = [...more, ...addressesOf(env)].map((path) => ({ path, guess: guessKind(path) }));
  const ofUsers = listDirectory('/run/user').flatMap((user) =>
    perUser.map(({ path, guess }) => ({ path: join('/run/user', user, path), guess })),
  );
  const found = new Map<string, EngineSocket>();
  for (const socket of [...named, ...usual, ...ofUsers]) {
    const path = realSocket(socket.path);
    if (path !== undefined && !found.has(path)) found.set(path, { ...socket, path, owner: ownerOf(path) });
  }
  return [...found.values()];
}

const guessKind = (path: string): EngineKind =>
  (['netyard', 'podman'] as const).find((kind) => path.includes(kind)) ?? 'docker';

function addressesOf(env: Readonly<Record<string, string | undefined>>): string[] {
  return ['NETYARD_HOST', 'DOCKER_HOST'].flatMap((name) => {
    try {
      const address = parseAddress(env[name] ?? '');
      return address.kind === 'unix' ? [address.path] : [];
    } catch {
      return []; // such as ssh://
    }
  });
}

function realSocket(path: string): string | undefined {
  try {
    const real = realpathSync(path);
    return statSync(real).isSocket() ? real : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The user who owns the socket or a folder above it, as users can rename and replace what is in their folders. Undefined
 * where several can: in a folder that others may write to, unless its sticky bit keeps them from what is not theirs.
 */
export function ownerOf(path: string): number | undefined {
  const owners = new Set([statSync(path).uid]);
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const stats = statSync(folder);
    if (isOpenToOthers(stats)) return undefined;
    owners.add(stats.uid);
    if (folder === dirname(folder)) break;
  }
  owners.delete(0);
  const [owner = 0, ...more] = owners;
  return more.length === 0 ? owner : undefined;
}

const isOpenToOthers = ({ mode, gid }: Stats): boolean =>
  (mode & 0o1000) === 0 && ((mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && gid !== 0));

function listDirectory(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch {
    return [];
  }
}
