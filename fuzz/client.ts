/** Sends one request as raw bytes over a new connection and reads the response. */
import { connect } from 'node:net';
import type { FuzzRequest } from './requests.ts';

export interface FuzzAnswer {
  /** 0: the connection ended without a response. */
  status: number;
  /** The first bytes of the body. */
  text: string;
  /** Closed by this client: an endless stream, or an aborted upload. */
  left: boolean;
  /** Timed out without a response. */
  late: boolean;
  /** No process listens. */
  refused: boolean;
}

const LAST_CHUNK = '\r\n0\r\n\r\n';
const KEEP_BYTES = 8_192;
/** Endless responses are closed after this long. */
const STREAM_MS = 200;
/** Longer than the daemon's timeout for a missing body (30 s). */
const ANSWER_MS = 45_000;

const streams = /\/(attach|wait|stats|start|events|logs|capture)$/;

export function exchange(socketPath: string, request: FuzzRequest): Promise<FuzzAnswer> {
  const { promise, resolve } = Promise.withResolvers<FuzzAnswer>();
  let text = '';
  let tail = '';
  let left = false;
  let late = false;
  let refused = false;
  const socket = connect({ path: socketPath });
  const leave = (): void => {
    left = true;
    socket.destroy();
  };
  const giveUp = (): void => {
    late = true;
    socket.destroy();
  };
  const isStream = streams.test(request.route.path) && request.route.path !== '/containers/:id/start';
  const timer = isStream ? setTimeout(leave, STREAM_MS) : setTimeout(giveUp, ANSWER_MS);
  socket.setEncoding('latin1').on('data', (piece: string) => {
    if (text.length < KEEP_BYTES) text += piece.slice(0, KEEP_BYTES);
    text = text.replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, '');
    tail = (tail + piece).slice(-LAST_CHUNK.length);
    if (isWhole(text, request.route.method) || tail === LAST_CHUNK) socket.destroy();
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    refused = error.code === 'ECONNREFUSED' || error.code === 'ENOENT';
  });
  socket.once('end', () => socket.destroy());
  socket.once('close', () => {
    clearTimeout(timer);
    resolve({ status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), text: bodyOf(text), left, late, refused });
  });
  const { head, body, abortAfter } = request;
  socket.write(head + body.slice(0, abortAfter), 'latin1', () => {
    if (abortAfter !== undefined) setTimeout(leave, 2);
  });
  return promise;
}

const bodyOf = (text: string): string => text.slice(text.indexOf('\r\n\r\n') + 4);

function isWhole(text: string, method: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return false;
  const head = text.slice(0, end);
  if (/^HTTP\/1\.1 101 /.test(head)) return false;
  if (method === 'HEAD' || /^HTTP\/1\.1 (204|304) /.test(head)) return true;
  const length = /content-length: (\d+)/i.exec(head)?.[1];
  return length !== undefined && (text.length - end - 4 >= Number(length) || Number(length) > KEEP_BYTES);
}
