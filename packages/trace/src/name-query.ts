/** Asks a name as a container would: its hosts file first, then the servers of its resolv.conf, from its namespace. */
import { randomInt } from 'node:crypto';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { tryParseIp } from '@netyard/core';
import { openSocketInNetns } from '@netyard/kernel';
import type { HostNamespace } from '@netyard/topology';
import { type DecodedPacket, decode, encode } from 'dns-packet';
import { readContainerFile } from './container-file.ts';
import { addressesInHostsFile } from './ends.ts';
import type { NameAnswer } from './explain/case.ts';
import type { TraceEnd } from './model.ts';

const dnsPort = 53;
const answerWaitMs = 1000;
/** Of resolv.conf(5): servers after the third are not asked. */
const maxServers = 3;

/** Undefined when neither the hosts file nor a server knows the name. Throws nothing. */
export async function resolveInNamespace(
  sender: TraceEnd,
  name: string,
  isContainer: boolean,
): Promise<NameAnswer | undefined> {
  const { namespace, container } = sender;
  if (namespace === undefined) return undefined;
  const root = rootOf(sender);
  const hosts = readFirst([
    ['/', container?.hostsPath],
    [root, '/etc/hosts'],
  ]);
  const listed = addressesInHostsFile(hosts, name);
  if (listed.length > 0) return { name, addresses: listed, source: 'hosts file' };
  const resolvConf = readFirst([
    [root, '/etc/resolv.conf'],
    ['/', container?.resolvConfPath],
  ]);
  const servers = serversIn(resolvConf)
    .slice(0, maxServers)
    .filter((server) => !isContainer || isEngineResolver(sender, server));
  for (const server of servers) {
    const addresses = await askServer(namespace, server, name);
    if (addresses !== undefined) return addresses.length > 0 ? { name, addresses, source: 'resolver' } : undefined;
  }
  return undefined;
}

/** Docker's and Netyard's resolver is in the container, Podman's at the gateway of its network. */
const isEngineResolver = ({ container }: TraceEnd, server: string): boolean =>
  server === '127.0.0.11' ||
  (container?.attachments ?? []).some(({ gateway, gateway6 }) => server === gateway || server === gateway6);

/** The root file system of the sender's first process: that of this process for the host. */
function rootOf({ namespace, container }: TraceEnd): string {
  const pid = container?.pid ?? (namespace?.isHost ? undefined : namespace?.processes[0]?.pid);
  return pid === undefined ? '/' : `/proc/${pid}/root`;
}

/** The first of these files, each below a root, that can be read, or ''. */
function readFirst(files: readonly (readonly [root: string, path: string | undefined])[]): string {
  for (const [root, path] of files) {
    const text = path === undefined ? undefined : readContainerFile(root, path);
    if (text !== undefined) return text;
  }
  return '';
}

/** The servers of a resolv.conf(5); words that are no address, which a socket would look up, are left out. Pure. */
export const serversIn = (resolvConf: string): string[] =>
  resolvConf
    .split('\n')
    .flatMap((line) => /^\s*nameserver\s+([\da-fA-F.:]+)/.exec(line)?.[1] ?? [])
    .filter((server) => tryParseIp(server) !== undefined);

/** Empty: the server answered that there is no address. Undefined: no answer. */
async function askServer(namespace: HostNamespace, server: string, name: string): Promise<string[] | undefined> {
  const socket = await openSocket(namespace, server);
  if (socket === undefined) return undefined;
  try {
    const answers = await Promise.all((['A', 'AAAA'] as const).map((type) => ask(socket, server, name, type)));
    if (answers.every((answer) => answer === undefined)) return undefined;
    return answers.flatMap((answer) => answer ?? []);
  } finally {
    socket.close();
  }
}

async function openSocket({ path }: HostNamespace, server: string): Promise<Socket | undefined> {
  const isSix = server.includes(':');
  try {
    const { fd } = openSocketInNetns(path, { protocol: 'udp', address: isSix ? '::' : '0.0.0.0', port: 0 });
    const socket = createSocket(isSix ? 'udp6' : 'udp4');
    const bound = once(socket, 'listening');
    socket.bind({ fd });
    await bound;
    socket.on('error', () => undefined); // of one query: it is answered by the timeout
    return socket;
  } catch {
    return undefined;
  }
}

async function ask(socket: Socket, server: string, name: string, type: 'A' | 'AAAA'): Promise<string[] | undefined> {
  const id = randomInt(0x10000);
  const flags = 0x0100; // recursion desired (RFC 1035, 4.1.1)
  const query = encode({ type: 'query', id, flags, questions: [{ type, name }] });
  return await new Promise((resolve) => {
    const timer = setTimeout(() => finish(undefined), answerWaitMs);
    const onMessage = (bytes: Buffer, from: RemoteInfo): void => {
      const answer = isSameAddress(from.address, server) && from.port === dnsPort ? tryDecode(bytes) : undefined;
      if (answer?.id === id) finish(addressesOf(answer, type));
    };
    const finish = (addresses: string[] | undefined): void => {
      clearTimeout(timer);
      socket.off('message', onMessage);
      resolve(addresses);
    };
    socket.on('message', onMessage);
    socket.send(query, dnsPort, server, (error) => {
      if (error) finish(undefined);
    });
  });
}

/** IPv6 addresses have several spellings. */
function isSameAddress(a: string, b: string): boolean {
  const [one, other] = [tryParseIp(a), tryParseIp(b)];
  return one !== undefined && one.family === other?.family && one.value === other.value;
}

function tryDecode(bytes: Buffer): DecodedPacket | undefined {
  try {
    return decode(bytes);
  } catch {
    return undefined;
  }
}

const addressesOf = ({ answers = [] }: DecodedPacket, type: 'A' | 'AAAA'): string[] =>
  answers.flatMap((answer) =>
    answer.type === type && 'data' in answer && typeof answer.data === 'string' ? [answer.data] : [],
  );
