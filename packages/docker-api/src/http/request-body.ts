/**
 * What happens to the part of a request's body that no handler reads. The answer goes out at once; the rest is read and
 * discarded within bounds, so that the connection can carry the next request and a sender that is still writing finds
 * the answer instead of a broken pipe.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PassThrough, type Readable } from 'node:stream';
import { HttpError } from '../errors.ts';
import { currentLimits } from './request-scope.ts';

/** More than this announced and unread: the connection is not worth keeping. */
const KEEP_BYTES = 1024 * 1024;
/** Read and discarded at most; beyond it the sender is left to block. */
const DISCARD_BYTES = 16 * 1024 * 1024;
const DISCARD_MS = 1_000;

/**
 * The body as a stream that may be given up before its end without ending the connection, which still carries the
 * answer. Fails when the client goes away, or sends nothing for `uploadIdleMs` while its bytes are awaited.
 */
export function uploadOf(request: IncomingMessage): Readable {
  const body = new PassThrough();
  // A reader gets the error from its read; without a reader it has no further consequence.
  body.on('error', () => {});
  const onGone = (): void => {
    if (!request.complete) body.destroy(request.errored ?? new Error('the client went away while it was sending'));
  };
  request.once('error', onGone).once('close', onGone);
  const idle = watchIdle(request, body, currentLimits().uploadIdleMs);
  body.once('close', () => {
    clearInterval(idle);
    request.unpipe(body);
    request.off('error', onGone).off('close', onGone);
  });
  if (request.destroyed) onGone();
  return request.pipe(body);
}

/** What waits in `body` is the reader's to take: only an empty body is the sender's doing. */
function watchIdle(request: IncomingMessage, body: PassThrough, milliseconds: number): NodeJS.Timeout {
  let received = request.socket.bytesRead;
  const check = (): void => {
    const isSilent = request.socket.bytesRead === received && body.readableLength === 0 && !request.complete;
    received = request.socket.bytesRead;
    if (isSilent)
      body.destroy(new HttpError(408, `nothing of the request body came for ${milliseconds / 1000} seconds`));
  };
  return setInterval(check, milliseconds).unref();
}

export type Rest = 'none' | 'some' | 'too much';

/** How much of the body has not come in yet. */
export function restOf(request: IncomingMessage): Rest {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  const hasBody = encoding !== undefined || (length !== undefined && Number(length) > 0);
  if (!hasBody || request.complete || request.readableEnded) return 'none';
  return length !== undefined && Number(length) > KEEP_BYTES ? 'too much' : 'some';
}

/** Reads and discards; true when the end of the body came within the bounds. */
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

/** After the last byte of an answer: the rest of the body is discarded, or the connection ends. */
export function discardAfter(response: ServerResponse, request: IncomingMessage): void {
  response.once('finish', async () => {
    if (restOf(request) !== 'none' && !(await discardRest(request))) request.socket.destroy();
  });
}
