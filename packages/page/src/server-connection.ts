/** The page's requests: exchange of the token, the stream of events, and what a click asks for. */
import { EventParser, type StreamEvent } from './event-text.ts';
import type { OpenedSessionAnswer, SessionAnswer, TraceAnswer, TraceRequest } from './model.ts';

/** The key of the session is kept for this origin, port included; a reload and further tabs use it. */
const keyName = 'netyard-key';
const RETRY_MS = 2_000;

/** An answer with an error status, with the server's message. */
export class AnswerError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

async function send(path: string, options: { body?: object; signal?: AbortSignal } = {}): Promise<Response> {
  const { body, signal } = options;
  const key = localStorage.getItem(keyName);
  const response = await fetch(path, {
    method: body ? 'POST' : 'GET',
    headers: {
      'X-Netyard-Page': '1',
      ...(key === null ? {} : { 'X-Netyard-Key': key }),
      ...(body ? { 'Content-Type': 'application/json' } : {}),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
    ...(signal ? { signal } : {}),
    credentials: 'same-origin',
    cache: 'no-store',
  });
  if (response.ok) return response;
  throw new AnswerError(response.status, await messageOf(response));
}

async function messageOf(response: Response): Promise<string> {
  try {
    const { message } = (await response.json()) as { message?: string };
    return message ?? response.statusText;
  } catch {
    return response.statusText;
  }
}

/** Exchanges the token, or continues the session of an earlier visit. */
export async function openSession(token: string | undefined): Promise<SessionAnswer> {
  if (token === undefined) return (await (await send('/api/session')).json()) as SessionAnswer;
  const { key, actions } = (await (await send('/api/session', { body: { token } })).json()) as OpenedSessionAnswer;
  localStorage.setItem(keyName, key);
  return { actions };
}

export async function ask<Answer>(
  path: string,
  query: Readonly<Record<string, string>> = {},
  signal?: AbortSignal,
): Promise<Answer> {
  const text = new URLSearchParams(query).toString();
  const response = await send(text === '' ? path : `${path}?${text}`, signal ? { signal } : {});
  return (await response.json()) as Answer;
}

/**
 * The file of a capture, which ends after the given number of seconds, or at the signal. `piece` gets it as it arrives.
 */
export async function capture(
  request: { target: string; filter: string; seconds: number },
  piece: (bytes: Uint8Array<ArrayBuffer>) => void,
  signal: AbortSignal,
): Promise<void> {
  const { body } = await send('/api/capture', { body: request, signal });
  const reader = body?.getReader();
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
    if (done || value === undefined) return;
    piece(value);
  }
}

/** Sends a probe; the answer comes after some seconds if nothing answers the probe. */
export async function askTrace(request: TraceRequest, signal: AbortSignal): Promise<TraceAnswer> {
  return (await (await send('/api/trace', { body: request, signal })).json()) as TraceAnswer;
}

export type StreamStatus = 'connected' | 'reconnecting' | 'no session';

/** Follows the stream until the signal, with a new connection after each failure but that of the session. */
export async function followStream(
  listener: { event(event: StreamEvent): void; status(status: StreamStatus): void },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await readStream(listener, signal);
    } catch (error) {
      if (error instanceof AnswerError && error.status === 401) return listener.status('no session');
    }
    if (signal.aborted) return;
    listener.status('reconnecting');
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

async function readStream(
  listener: { event(event: StreamEvent): void; status(status: StreamStatus): void },
  signal: AbortSignal,
): Promise<void> {
  const { body } = await send('/api/stream', { signal });
  if (body === null) return;
  listener.status('connected');
  const parser = new EventParser();
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    for (const event of parser.push(value)) listener.event(event);
  }
}
