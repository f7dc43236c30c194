/**
 * Discards the part of a request's body that no handler reads. The response is sent at once; the rest of the body is
 * read and discarded within limits, so that the connection can be reused and a client that is still sending reads the
 * response instead of failing with a broken pipe.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PassThrough, type Readable } from 'node:stream';
import { HttpError } from '../errors.ts';
import { currentLimits } from './request-scope.ts';

/** With more than this announced and unread, the connection is closed instead. */
const KEEP_BYTES = 1024 * 1024;
/** At most this much is discarded; then the server stops reading and the sender blocks. */
const DISCARD_BYTES = 16 * 1024 * 1024;
const DISCARD_MS = 1_000;

/**
 * The body as a stream whose early end leaves the connection open for the response. Fails when the client disconnects,
 * or sends nothing for `uploadIdleMs` while the handler is reading.
 */
export function uploadOf(request: IncomingMessage): Readable {
  const body = new PassThrough();
  // A reader gets the error from its read; without a reader it can be ignored.
  body.on('error', () => {});
  const onGone = (): void => {
    if (!request.complete) body.destroy(request.errored ?? new Error('the client disconnected while it was sending'));
  };
  request.once('error', onGone).once('close', onGone);
  watchIdle(request, body, currentLimits().uploadIdleMs);
  body.once('close', () => {
    request.unpipe(body);
    request.off('error', onGone).off('close', onGone);
  });
  if (request.destroyed) onGone();
  return request.pipe(body);
}

/**
 * If `body` has buffered data, the handler is slow; only an empty buffer means that the client is silent. Ends with the
 * request too: a body that no handler reads never closes, and the timer would keep its connection in memory.
 */
function watchIdle(request: IncomingMessage, body: PassThrough, milliseconds: number): void {
  let received = request.socket.bytesRead;
  const check = (): void => {
    const isSilent = request.socket.bytesRead === received && body.readableLength === 0 && !request.complete;
    received = request.socket.bytesRead;
    if (isSilent)
      body.destroy(new HttpError(408, `received no data of the request body for ${milliseconds / 1000} seconds`));
  };
  const timer = setInterval(check, milliseconds).unref();
  const stop = (): void => {
    clearInterval(timer);
    request.off('close', stop);
    body.off('close', stop);
  };
  request.once('close', stop);
  body.once('close', stop);
}

/** Those whose body has been read before Node noted that they are complete. */
const received = new WeakSet<IncomingMessage>();

/** The whole body has been read. */
export function noteReceived(request: IncomingMessage): void {
  received.add(request);
}

/** Waits until the request is complete, so that its connection can be taken. Call when its body has been read. */
export async function completion(request: IncomingMessage): Promise<void> {
  if (request.complete || request.destroyed) return;
  await new Promise((resolve) => request.once('end', resolve).once('close', resolve).resume());
}

export type Rest = 'none' | 'some' | 'too much';

/** How much of the body has not been received. */
export function restOf(request: IncomingMessage): Rest {
  if (!hasBody(request) || request.complete || request.readableEnded || received.has(request)) return 'none';
  return Number(request.headers['content-length'] ?? 0) > KEEP_BYTES ? 'too much' : 'some';
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

/** Reads and discards; true when the body ended within the limits. */
export function discardRest(request: IncomingMessage): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  let discarded = 0;
  const onData = (piece: Uint8Array): void => {
    discarded += piece.length;
    if (discarded > DISCARD_BYTES) request.pause();
  };
  const finish = (): void => {
    clearTimeout(timer);
    request.off('data', onData).off('end', finish).off('close', finish);
    resolve(request.complete);
  };
  const timer = setTimeout(finish, DISCARD_MS);
  request.unpipe();
  request.on('data', onData).once('end', finish).once('close', finish);
  if (request.complete || request.destroyed) finish();
  else request.resume();
  return promise;
}

/** After the response: discards the rest of the body, or ends the connection. */
export function discardAfter(response: ServerResponse, request: IncomingMessage): void {
  if (!hasBody(request)) return;
  response.once('finish', async () => {
    if (received.has(request))
      request.resume(); // to its end, which follows
    else if (restOf(request) !== 'none' && !(await discardRest(request))) request.socket.destroy();
  });
}
