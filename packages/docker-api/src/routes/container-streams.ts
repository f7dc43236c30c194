/** Docker's long-lived container routes: attach, logs, wait, stats. */
import { StringDecoder } from 'node:string_decoder';
import { setTimeout as sleep } from 'node:timers/promises';
import { NetyardError } from '@netyard/core';
import type { ContainerStats } from '@netyard/engine';
import { statusOf } from '../errors.ts';
import { pump, writePiece } from '../http/pump.ts';
import { readBoolean, readTail, readTimestamp } from '../http/query.ts';
import { type RequestContext, sendText } from '../http/request-context.ts';
import { type Handler, type Route, route } from '../http/router.ts';
import { checkHandshake } from '../http/web-socket.ts';
import type { ApiOptions } from '../options.ts';
import { bytesOf, type EncodeChunk, multiplexedStream, rawStream, serveAttachment } from '../stream/hijack.ts';
import { translateStats } from '../translate/stats.ts';
import { speaks } from '../versions.ts';
import { reference } from './reference.ts';

const STATS_INTERVAL_MS = 1_000;

export function containerStreamRoutes(options: ApiOptions): Route[] {
  return [
    route('POST', '/containers/:id/attach', attach(options)),
    route('GET', '/containers/:id/attach/ws', attachWebSocket(options)),
    route('GET', '/containers/:id/logs', logs(options)),
    route('POST', '/containers/:id/wait', wait(options)),
    route('GET', '/containers/:id/stats', stats(options)),
  ];
}

/** Since 1.42 there are two content types. */
export function streamType({ version }: RequestContext, tty: boolean): string {
  return !tty && speaks(version, 42) ? multiplexedStream : rawStream;
}

function attach({ engine }: ApiOptions): Handler {
  return async (exchange) => {
    const { query, signal, answer } = exchange;
    const work = engine.containers.attach(reference(exchange, 'id'), {
      stdin: readBoolean(query, 'stdin'),
      stdout: readBoolean(query, 'stdout'),
      stderr: readBoolean(query, 'stderr'),
      logs: readBoolean(query, 'logs'),
      stream: readBoolean(query, 'stream'),
      detachKeys: query.get('detachKeys') || undefined,
      signal,
    });
    const attachment = await refusedAsText(exchange, work);
    if (attachment) await serveAttachment(answer.hijack(streamType(exchange, attachment.tty)), attachment, signal);
  };
}

/** Unframed output, with or without a terminal. Clients before 1.42 get every stream, before 1.28 as text. */
function attachWebSocket({ engine }: ApiOptions): Handler {
  return async (exchange) => {
    const { request, query, signal, answer, version } = exchange;
    const ref = reference(exchange, 'id');
    await engine.containers.inspect(ref, { size: false }); // a missing container is reported before a bad handshake
    checkHandshake(request);
    const selects = speaks(version, 42);
    const attachment = await engine.containers.attach(ref, {
      stdin: selects ? readBoolean(query, 'stdin') : true,
      stdout: selects ? readBoolean(query, 'stdout') : true,
      stderr: selects ? readBoolean(query, 'stderr') : true,
      logs: readBoolean(query, 'logs'),
      stream: readBoolean(query, 'stream'),
      detachKeys: query.get('detachKeys') || undefined,
      signal,
    });
    const encode = speaks(version, 28) ? bytesOf : textEncoding();
    await serveAttachment(answer.webSocket(), attachment, signal, encode);
  };
}

/** A character that two chunks split is sent with the second. */
function textEncoding(): EncodeChunk {
  const decoder = new StringDecoder();
  return ({ data }) => decoder.write(Buffer.from(data));
}

/** Docker rejects an attach in plain text, not in JSON. Undefined when it was rejected. */
async function refusedAsText<T>(exchange: RequestContext, work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof NetyardError)) throw error;
    exchange.logError(error);
    sendText(exchange, statusOf(error), rawStream, `${error.message}\r\n`);
    return undefined;
  }
}

function logs({ engine }: ApiOptions): Handler {
  return async (exchange) => {
    const { query, signal, answer } = exchange;
    const stdout = readBoolean(query, 'stdout');
    const stderr = readBoolean(query, 'stderr');
    if (!stdout && !stderr) throw new NetyardError('invalid', 'Bad parameters: you must choose at least one stream');
    const { tty, output } = await engine.containers.logs(reference(exchange, 'id'), {
      stdout,
      stderr,
      follow: readBoolean(query, 'follow'),
      since: readTimestamp(query, 'since'),
      until: readTimestamp(query, 'until'),
      tail: readTail(query),
      timestamps: readBoolean(query, 'timestamps'),
      details: readBoolean(query, 'details'),
      signal,
    });
    const sink = answer.open(200, { 'Content-Type': streamType(exchange, tty) });
    await pump(output, sink, (chunk) => chunk, signal);
    sink.end();
  };
}

const conditions = ['not-running', 'next-exit', 'removed'] as const;

/** Sends the head once the wait is registered: `docker run` starts the container after reading it. */
function wait({ engine }: ApiOptions): Handler {
  return async (exchange) => {
    const { query, signal, answer, version } = exchange;
    const text = (speaks(version, 30) ? query.get('condition') : null) || 'not-running';
    const condition = conditions.find((known) => known === text);
    if (!condition) throw new NetyardError('invalid', `invalid condition: "${text}"`);
    const { done } = await engine.containers.wait(reference(exchange, 'id'), condition, signal);
    const sink = answer.open(200, { 'Content-Type': 'application/json' });
    const { exitCode, error } = await done;
    const failure = error === undefined ? {} : { Error: { Message: error } };
    sink.end(`${JSON.stringify({ StatusCode: exitCode, ...failure })}\n`);
  };
}

function stats({ engine }: ApiOptions): Handler {
  return async (exchange) => {
    const { query, signal, answer } = exchange;
    const ref = reference(exchange, 'id');
    const stream = readBoolean(query, 'stream', true);
    const once = !stream && readBoolean(query, 'one-shot');
    let previous: ContainerStats | undefined;
    let current = await engine.containers.stats(ref);
    if (!stream && !once && current.metrics) {
      await sleep(STATS_INTERVAL_MS, undefined, { signal });
      previous = current;
      current = await engine.containers.stats(ref);
    }
    const sink = answer.open(200, { 'Content-Type': 'application/json' });
    const line = (): string => `${JSON.stringify(translateStats(current, previous, exchange.version))}\n`;
    while ((await writePiece(sink, line(), signal)) && stream) {
      if (!(await pauseBetweenReadings(signal))) return;
      previous = current;
      const next = await readUnlessRemoved(() => engine.containers.stats(ref));
      if (!next) break;
      current = next;
    }
    sink.end();
  };
}

/** False when the client has disconnected meanwhile. */
async function pauseBetweenReadings(signal: AbortSignal): Promise<boolean> {
  return await sleep(STATS_INTERVAL_MS, true, { signal }).catch(() => false);
}

/** Removing the container ends the stream without an error. */
async function readUnlessRemoved(read: () => Promise<ContainerStats>): Promise<ContainerStats | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof NetyardError && error.code === 'not-found') return undefined;
    throw error;
  }
}
