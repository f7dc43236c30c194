/**
 * Reads request bodies and checks content type, size and shape of JSON ones. A body that is too large is rejected
 * before it is read, so memory stays bounded whatever a client sends.
 */
import type { IncomingMessage } from 'node:http';
import { NetyardError } from '@netyard/core';
import type { z } from 'zod';
import { HttpError } from '../errors.ts';
import { describeJsonError, describeShapeError } from './json-error.ts';
import { noteReceived, uploadOf } from './request-body.ts';
import { currentLimits } from './request-scope.ts';

const JSON_LIMIT = 4 * 1024 * 1024;
const SMALL = 64 * 1024;
const utf8 = new TextDecoder();

const isEmpty = (request: IncomingMessage): boolean =>
  request.headers['content-length'] === '0' ||
  (request.headers['content-length'] === undefined && request.headers['transfer-encoding'] === undefined);

function checkContentType(request: IncomingMessage): void {
  const header = request.headers['content-type'] ?? '';
  const type = header.split(';')[0]?.trim().toLowerCase() ?? '';
  if (type === '') throw new NetyardError('invalid', 'malformed Content-Type header (): mime: no media type');
  if (type === 'application/json') return;
  throw new NetyardError('invalid', `unsupported Content-Type header (${header}): must be 'application/json'`);
}

async function readText(request: IncomingMessage): Promise<string> {
  const announced = request.headers['content-length'];
  if (announced !== undefined && Number(announced) <= SMALL)
    return utf8.decode(await readSmall(request, Number(announced)));
  if (Number(announced ?? 0) > JSON_LIMIT) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let size = 0;
  const body = uploadOf(request);
  const timer = setTimeout(() => body.destroy(new HttpError(408, 'request body timed out')), currentLimits().bodyMs);
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      if (size > JSON_LIMIT) throw tooLarge();
      chunks.push(chunk);
    }
  } finally {
    clearTimeout(timer);
  }
  return utf8.decode(Buffer.concat(chunks));
}

/**
 * A body of known, small size, without the streams of `uploadOf`, which take a quarter of the time of a short request. Most
 * arrive together with the head: when the handler continues, Node's parser has put such a body into the request's buffer,
 * and neither a timer nor events are needed.
 */
async function readSmall(request: IncomingMessage, length: number): Promise<Uint8Array> {
  await undefined;
  const received: Uint8Array | null = request.readableLength < length ? null : request.read();
  if (received === null) return await receiveSmall(request);
  noteReceived(request);
  return received;
}

async function receiveSmall(request: IncomingMessage): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const chunks: Uint8Array[] = [];
  const onData = (chunk: Uint8Array): void => void chunks.push(chunk);
  const onEnd = (): void => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks));
  const onGone = (): void => {
    if (!request.complete) reject(request.errored ?? new Error('the client disconnected while it was sending'));
  };
  const timer = setTimeout(() => reject(new HttpError(408, 'request body timed out')), currentLimits().bodyMs);
  request.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone);
  if (request.destroyed) onGone();
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    request.off('data', onData).off('end', onEnd).off('error', onGone).off('close', onGone);
  }
}

const tooLarge = (): HttpError => new HttpError(413, `request body is larger than ${JSON_LIMIT} bytes`);

/** Throws `invalid` with Docker's message: `invalid JSON: …`. */
export async function readJson<T>(request: IncomingMessage, schema: z.ZodType<T>): Promise<T> {
  if (isEmpty(request)) throw new NetyardError('invalid', 'invalid JSON: got EOF while reading request body');
  checkContentType(request);
  return checkShape(parse(await readText(request)), schema);
}

/** Like `readJson`, but an absent body is `{}`. */
export async function readOptionalJson<T>(request: IncomingMessage, schema: z.ZodType<T>): Promise<T> {
  return isEmpty(request) ? checkShape({}, schema) : await readJson(request, schema);
}

function parse(text: string): unknown {
  if (text.trim() === '') throw new NetyardError('invalid', 'invalid JSON: got EOF while reading request body');
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = describeJsonError(text);
    throw new NetyardError('invalid', reason.startsWith('unexpected content') ? reason : `invalid JSON: ${reason}`, {
      cause,
    });
  }
}

function checkShape<T>(value: unknown, schema: z.ZodType<T>): T {
  // Go's decoder leaves a struct as it is where the JSON says null.
  const result = schema.safeParse(value ?? {}, { reportInput: true });
  if (result.success) return result.data;
  throw new NetyardError('invalid', `invalid JSON: ${describeShapeError(result.error.issues)}`);
}
