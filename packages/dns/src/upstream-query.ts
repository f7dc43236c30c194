/**
 * One query to one upstream server, over UDP or TCP. It leaves from its own ephemeral port with a random id; an answer
 * must come from that server and match id and question (RFC 5452).
 */
import { randomInt } from 'node:crypto';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { isIPv6, Socket, type SocketConstructorOpts } from 'node:net';
import { frame, MessageReader } from './framing.ts';
import { answers, messageId, withId } from './message.ts';

export type Transport = 'udp' | 'tcp';

/** Opens a socket in another network namespace: bound to any port of any address, not connected. Returns its descriptor. */
export type OpenSocket = (transport: Transport, family: 4 | 6) => number;

export interface UpstreamRequest {
  query: Buffer;
  server: string;
  port: number;
  transport: Transport;
  /** Default: sockets of this process's namespace. */
  open?: OpenSocket | undefined;
}

export interface UpstreamQuery {
  /** Undefined: refused, unreachable or closed. Never rejects. */
  answer: Promise<Buffer | undefined>;
  /** Ends the query; `answer` is then undefined. */
  close(): void;
}

export function startQuery(request: UpstreamRequest): UpstreamQuery {
  const sent = withId(request.query, randomInt(0x10000));
  const { promise, resolve } = Promise.withResolvers<Buffer | undefined>();
  let close = (): void => undefined;
  const end = (answer: Buffer | undefined): void => {
    close();
    resolve(answer && withId(answer, messageId(request.query)));
  };
  try {
    close = (request.transport === 'udp' ? sendUdp : sendTcp)(request, sent, end);
  } catch {
    resolve(undefined); // the namespace is gone, or no descriptor is left
  }
  return { answer: promise, close: () => end(undefined) };
}

type Exchange = (request: UpstreamRequest, sent: Buffer, end: (answer: Buffer | undefined) => void) => () => void;

const familyOf = (server: string): 4 | 6 => (isIPv6(server) ? 6 : 4);

const sendUdp: Exchange = ({ server, port, open }, sent, end) => {
  const socket: UdpSocket = createSocket(familyOf(server) === 6 ? 'udp6' : 'udp4');
  let isOpen = true;
  const close = (): void => {
    if (!isOpen) return;
    isOpen = false;
    socket.removeAllListeners().on('error', () => {});
    socket.close();
  };
  socket.on('error', () => end(undefined)); // refused, unreachable
  socket.on('message', (message) => {
    if (answers(message, sent)) end(message);
  });
  try {
    if (open) socket.bind({ fd: open('udp', familyOf(server)) });
    // Connected, so that the kernel takes packets of that server only and reports a closed port.
    // Without a route the callback gets an error, against its type.
    const send = (error?: Error): void => {
      if (error) end(undefined);
      else if (isOpen) socket.send(sent);
    };
    socket.connect(port, server, send);
  } catch (error) {
    close();
    throw error;
  }
  return close;
};

const sendTcp: Exchange = ({ server, port, open }, sent, end) => {
  // manualStart: reading an unconnected socket would fail.
  const own = open ? { fd: open('tcp', familyOf(server)), manualStart: true } : {};
  const socket = new Socket(own as SocketConstructorOpts);
  const reader = new MessageReader();
  socket.on('error', () => end(undefined));
  socket.on('close', () => end(undefined));
  socket.on('data', (data) => {
    const answer = reader.take(data).find((message) => answers(message, sent));
    if (answer) end(answer);
  });
  socket.connect(port, server);
  socket.write(frame(sent));
  return () => socket.destroy();
};
