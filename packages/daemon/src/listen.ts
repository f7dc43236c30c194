/**
 * Listening sockets in front of one HTTP server: unix sockets with mode 0660, TLS that lets only known clients in.
 */
import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import type { Server as HttpServer } from 'node:http';
import { connect, createServer, type Server } from 'node:net';
import { dirname } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { messageOf, NetyardError } from '@netyard/core';
import type { ListenAddress, TlsFiles } from './config.ts';

export interface Listeners {
  addresses: string[];
  close(): Promise<void>;
}

export interface ListenOptions {
  /** Group name; '' = docker, else netyard, else root. */
  group: string;
  tls: TlsFiles | undefined;
}

/** All or none: when one cannot listen, the others are closed again. */
export async function listen(
  http: HttpServer,
  addresses: readonly ListenAddress[],
  options: ListenOptions,
): Promise<Listeners> {
  const servers: Server[] = [];
  try {
    for (const address of addresses) servers.push(await listenAt(http, address, options));
  } catch (error) {
    await closeAll(servers);
    throw error;
  }
  return { addresses: addresses.map(formatAddress), close: () => closeAll(servers) };
}

export function formatAddress(address: ListenAddress): string {
  if (address.kind === 'unix') return `unix://${address.path}`;
  return `tcp://${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
}

async function closeAll(servers: readonly Server[]): Promise<void> {
  await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
}

async function listenAt(http: HttpServer, address: ListenAddress, options: ListenOptions): Promise<Server> {
  return address.kind === 'unix'
    ? await listenUnix(http, address.path, options.group)
    : await listenTls(http, address, options.tls);
}

async function listenUnix(http: HttpServer, path: string, group: string): Promise<Server> {
  const gid = groupId(group);
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  await removeStaleSocket(path);
  const server = createServer((socket) => http.emit('connection', socket));
  // bind(2) happens inside listen(), before the next turn: nobody else sees the mask, and the socket never stands open.
  const mask = process.umask(0o117);
  try {
    server.listen(path);
  } finally {
    process.umask(mask);
  }
  await listening(server, path);
  chownSync(path, 0, gid);
  return server;
}

/** Takes the socket of a dead daemon away; refuses a living one and anything that is no socket. */
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
  if (alive) throw new NetyardError('conflict', `something else listens at ${path}`, { hint: 'give another -H' });
  rmSync(path);
}

async function listenTls(
  http: HttpServer,
  address: { host: string; port: number },
  files: TlsFiles | undefined,
): Promise<Server> {
  if (files === undefined) throw new NetyardError('invalid', 'tcp needs --tlsverify');
  const server = createTlsServer(
    {
      ca: readPem(files.ca),
      cert: readPem(files.certificate),
      key: readPem(files.key),
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
    },
    (socket) => http.emit('connection', socket),
  );
  server.listen(address.port, address.host === '' ? undefined : address.host);
  await listening(server, formatAddress({ kind: 'tcp', ...address }));
  return server;
}

function readPem(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new NetyardError('invalid', `cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
}

async function listening(server: Server, where: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(new NetyardError('conflict', `cannot listen at ${where}: ${error.message}`, { cause: error })),
    );
    server.once('listening', resolve);
  });
}

/** A group that was named must be there; without a name the first of docker and netyard that is. */
function groupId(name: string): number {
  const groups = readFileSync('/etc/group', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const find = (wanted: string): number | undefined => {
    const id = groups.find((fields) => fields[0] === wanted)?.[2];
    return id === undefined ? undefined : Number(id);
  };
  if (name !== '') {
    const id = find(name) ?? (/^\d+$/.test(name) ? Number(name) : undefined);
    if (id === undefined) throw new NetyardError('invalid', `group ${name} not found`);
    return id;
  }
  return find('docker') ?? find('netyard') ?? 0;
}
