/**
 * Listening sockets, each with an HTTP server of its own (Node limits slow clients only on a server that listens
 * itself): unix sockets with mode 0660, and TLS for clients with a trusted certificate.
 */
import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import type { Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { dirname } from 'node:path';
import type { TlsOptions } from 'node:tls';
import { NetyardError, reasonOf, urlHost } from '@netyard/core';
import type { ListenAddress, TlsFiles } from './listen-address.ts';

export interface Listeners {
  addresses: string[];
  close(): Promise<void>;
}

const CLOSE_PATIENCE_MS = 1_000;

/** Creates one server; with TLS if options are given. */
export type MakeServer = (tls?: TlsOptions) => Server;

export interface ListenOptions {
  /** Group name; '' = docker, else netyard, else root. */
  group: string;
  tls: TlsFiles | undefined;
}

/** All or none: when one cannot listen, the others are closed again. */
export async function listen(
  makeServer: MakeServer,
  addresses: readonly ListenAddress[],
  options: ListenOptions,
): Promise<Listeners> {
  const open: Listener[] = [];
  try {
    for (const address of addresses) open.push(await listenAt(makeServer, address, options));
  } catch (error) {
    await closeAll(open);
    throw error;
  }
  return { addresses: addresses.map(formatAddress), close: () => closeAll(open) };
}

export interface BrowserListener {
  /** As bound: not 0. */
  port: number;
  close(): Promise<void>;
}

/** A listener for browsers: plain, or with TLS for any client. */
export async function listenForBrowsers(
  makeServer: MakeServer,
  { host, port }: { host: string; port: number },
  files: Pick<TlsFiles, 'certificate' | 'key'> | undefined,
): Promise<BrowserListener> {
  const tls = files && {
    cert: readPem(files.certificate),
    key: readPrivateKey(files.key),
    minVersion: 'TLSv1.2' as const,
  };
  const listener = track(makeServer(tls));
  const { server } = listener;
  server.listen(port, host);
  await listening(server, formatAddress({ kind: 'tcp', host, port }));
  const address = server.address();
  if (typeof address !== 'object' || address === null)
    throw new NetyardError('internal', 'the listener has no address');
  return { port: address.port, close: () => closeListener(listener) };
}

export function formatAddress(address: ListenAddress): string {
  if (address.kind === 'unix') return `unix://${address.path}`;
  return `tcp://${urlHost(address.host)}:${address.port}`;
}

async function closeAll(listeners: readonly Listener[]): Promise<void> {
  await Promise.all(listeners.map(closeListener));
}

interface Listener {
  server: Server;
  /** Including those hijacked by attach and exec, which the server itself does not track. */
  sockets: Set<Socket>;
}

function track(server: Server): Listener {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return { server, sockets };
}

/** Ends endless streams at once; unfinished responses get a short grace period. */
async function closeListener({ server, sockets }: Listener): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => {
    for (const socket of sockets) socket.destroy();
  }, CLOSE_PATIENCE_MS);
  await closed;
  clearTimeout(timer);
}

async function listenAt(makeServer: MakeServer, address: ListenAddress, options: ListenOptions): Promise<Listener> {
  return address.kind === 'unix'
    ? await listenUnix(makeServer, address.path, options.group)
    : await listenTls(makeServer, address, options.tls);
}

async function listenUnix(makeServer: MakeServer, path: string, group: string): Promise<Listener> {
  const gid = groupId(group);
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  await removeStaleSocket(path);
  const listener = track(makeServer());
  const { server } = listener;
  // bind(2) happens inside listen(), before control returns to the event loop: no other code sees the umask, and the
  // socket is never world-accessible.
  const mask = process.umask(0o117);
  try {
    server.listen(path);
  } finally {
    process.umask(mask);
  }
  await listening(server, path);
  chownSync(path, 0, gid);
  return listener;
}

/** Removes the socket of a dead daemon; rejects one that is in use and anything that is no socket. */
async function removeStaleSocket(path: string): Promise<void> {
  if (!existsSync(path)) return;
  if (!statSync(path).isSocket()) throw new NetyardError('conflict', `${path} exists and is not a socket`);
  const alive = await new Promise<boolean>((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(true);
    });
    probe.on('error', () => resolve(false));
  });
  if (alive) throw new NetyardError('conflict', `another process listens on ${path}`, { hint: 'give another -H' });
  rmSync(path);
}

async function listenTls(
  makeServer: MakeServer,
  address: { host: string; port: number },
  files: TlsFiles | undefined,
): Promise<Listener> {
  if (files === undefined) throw new NetyardError('invalid', 'tcp requires --tlsverify');
  const tls = {
    ca: readPem(files.ca),
    cert: readPem(files.certificate),
    key: readPrivateKey(files.key),
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    // A client that has sent all its input may still wait for the response: stdin of attach and exec.
    allowHalfOpen: true,
  } as const;
  const listener = track(makeServer(tls));
  const { server } = listener;
  server.listen(address.port, address.host === '' ? undefined : address.host);
  await listening(server, formatAddress({ kind: 'tcp', ...address }));
  return listener;
}

function readPem(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new NetyardError('invalid', `cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

/**
 * Throws `invalid` for a key that other users can read: they could impersonate this daemon with it. ssh(1) rejects it
 * as well.
 */
function readPrivateKey(path: string): Buffer {
  const key = readPem(path);
  const { mode, uid } = statSync(path);
  const isOwn = uid === 0 || uid === process.geteuid?.();
  if (isOwn && (mode & 0o077) === 0) return key;
  const permissions = (mode & 0o777).toString(8).padStart(4, '0');
  throw new NetyardError('invalid', `permissions ${permissions} of the TLS key ${path} (uid ${uid}) are too open`, {
    hint: `run \`chmod 600 ${path}\`${isOwn ? '' : ` and \`chown root ${path}\``}`,
  });
}

async function listening(server: Server, where: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(new NetyardError('conflict', `cannot listen on ${where}: ${error.message}`, { cause: error })),
    );
    server.once('listening', resolve);
  });
}

/** A group given by name must exist; by default the first existing one of docker and netyard. */
function groupId(name: string): number {
  const groups = readFileSync('/etc/group', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const find = (group: string): number | undefined => {
    const id = groups.find((fields) => fields[0] === group)?.[2];
    return id === undefined ? undefined : Number(id);
  };
  if (name !== '') {
    const id = find(name) ?? (/^\d+$/.test(name) ? Number(name) : undefined);
    if (id === undefined) throw new NetyardError('invalid', `group ${name} not found`);
    return id;
  }
  return find('docker') ?? find('netyard') ?? 0;
}
