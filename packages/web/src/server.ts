/**
 * The HTTP server of the topology page: the page's files, one exchange of a token, and a few read-only routes. Not the
 * Docker API: nothing here changes containers or networks. Every request passes `checkRequest`; those to `/api/` also need
 * a session, except for the exchange.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { TlsOptions } from 'node:tls';
import { type Clock, type Logger, NetyardError } from '@netyard/core';
import { errorBody, statusOf } from '@netyard/docker-api';
import type {
  ChecksAnswer,
  ExplainAnswer,
  OpenedSessionAnswer,
  RulesAnswer,
  SessionAnswer,
  TraceAnswer,
  TraceRequest,
} from '@netyard/page';
import { z } from 'zod';
import { checkRequest, type OwnAddresses, parseTarget, valuesOf } from './access.ts';
import { readJsonBody } from './body.ts';
import { Connections } from './connections.ts';
import { type StreamedFeed, streamEvents } from './event-stream.ts';
import type { PageFile } from './page-files.ts';
import { cookieValues, type Sessions } from './sessions.ts';

/** What the page asks for on a click. */
export interface PageQueries {
  explain(ref: string): ExplainAnswer;
  rules(query: RulesQuery): RulesAnswer;
  checks(): Promise<ChecksAnswer>;
  /** The growing pcapng file; ends by itself, or when `signal` is aborted. */
  capture(request: CaptureQuery, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /** Sends a probe; ended by the signal. */
  trace(request: TraceRequest, signal: AbortSignal): Promise<TraceAnswer>;
}

export interface RulesQuery {
  /** Name or id of a container, network or peer. */
  ref: string;
  /** Only of this published port, such as `8080/tcp`. */
  port?: string;
  /** Only of the link to this container. */
  linkTo?: string;
}

export interface CaptureQuery {
  target: string;
  filter: string;
  count: number;
  seconds: number;
}

export interface WebServerOptions {
  own: () => OwnAddresses;
  sessions: Sessions;
  files: ReadonlyMap<string, PageFile>;
  feed: StreamedFeed;
  queries: PageQueries;
  /** Captures and traces are allowed. */
  actions: boolean;
  clock: Pick<Clock, 'now'>;
  logger: Logger;
}

const maximumConnections = 128;
const maximumStreams = 32;
/** Of one session: further tabs wait until one is closed or hidden. */
const maximumStreamsOfSession = 16;
/** TLS; Node waits two minutes. */
const HANDSHAKE_MS = 10_000;
const KEY_HEADER = 'x-netyard-key';

/** No scripts, styles and connections but this server’s. */
const contentPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const commonHeaders: Readonly<Record<string, string>> = {
  'Content-Security-Policy': contentPolicy,
  'X-Frame-Options': 'DENY',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
};

interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  url: URL;
}

type Handler = (exchange: Exchange) => void | Promise<void>;

export function createWebServer(options: WebServerOptions, tls?: TlsOptions): Server {
  const routes = openRoutes(options);
  const connections = new Connections();
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    void answer({ ...options, connections }, routes, request, response);
  };
  const limits = { maxHeaderSize: 8_192, headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 30_000 };
  const server = tls
    ? createTlsServer({ ...limits, handshakeTimeout: HANDSHAKE_MS, ...tls }, onRequest)
    : createServer(limits, onRequest);
  server.maxConnections = maximumConnections;
  connections.watch(server);
  return server;
}

async function answer(
  options: WebServerOptions & { connections: Connections },
  routes: ReadonlyMap<string, Handler>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  for (const [name, value] of Object.entries(commonHeaders)) response.setHeader(name, value);
  try {
    const { method = '', url: target = '', rawHeaders } = request;
    const refusal = checkRequest({ method, url: target, rawHeaders }, options.own());
    if (refusal) return refuse(options, request, response, refusal.status, refusal.message);
    const url = parseTarget(target);
    if (url === undefined) return refuse(options, request, response, 400, 'the request names no path');
    const handler = routes.get(`${method} ${url.pathname}`) ?? fileHandler(options, method, url.pathname);
    if (handler === undefined) return refuse(options, request, response, 404, 'page not found');
    if (needsSession(method, url.pathname)) {
      if (sessionOf(options, request) === undefined)
        return refuse(options, request, response, 401, 'no session: run `netyard web` for a new address');
      options.connections.trust(request.socket);
    }
    await handler({ request, response, url });
  } catch (error) {
    if (statusOf(error) === 500) options.logger.error('a request of the topology page failed', { error });
    if (response.headersSent) response.destroy();
    else sendJson(response, statusOf(error), errorBody(error, request));
  }
}

/** Logged: refusals are rare, and a sign of an attack or of a wrong set-up. */
function refuse(
  { logger }: WebServerOptions,
  { method, rawHeaders }: IncomingMessage,
  response: ServerResponse,
  status: number,
  message: string,
): void {
  const [host, origin] = ['host', 'origin'].map((name) => valuesOf(rawHeaders, name).join(', '));
  logger.debug('a request of the topology page is refused', { method, host, origin, status, reason: message });
  response.setHeader('Connection', 'close');
  sendJson(response, status, { message });
}

const sessionPath = '/api/session';
const needsSession = (method: string, path: string): boolean =>
  path.startsWith('/api/') && !(method === 'POST' && path === sessionPath);

/** Two daemons on one host, on different ports, keep their cookies apart. */
const cookieName = ({ socket }: IncomingMessage): string =>
  'encrypted' in socket ? '__Host-netyard' : `netyard-${socket.localPort}`;

/** Undefined without an open session, else what names it. */
function sessionOf({ sessions }: WebServerOptions, request: IncomingMessage): string | undefined {
  const { rawHeaders } = request;
  const [cookie, ...more] = cookieValues(valuesOf(rawHeaders, 'cookie'), cookieName(request));
  const [key = ''] = valuesOf(rawHeaders, KEY_HEADER);
  return cookie !== undefined && more.length === 0 && sessions.isOpen({ cookie, key }) ? cookie : undefined;
}

function fileHandler({ files }: WebServerOptions, method: string, path: string): Handler | undefined {
  const file = method === 'GET' ? files.get(path) : undefined;
  if (file === undefined) return undefined;
  return ({ response }) => {
    if (file.immutable) response.setHeader('Cache-Control', 'max-age=31536000, immutable');
    response.writeHead(200, { 'Content-Type': file.type, 'Content-Length': file.content.length });
    response.end(file.content);
  };
}

const tokenSchema = z.strictObject({ token: z.string().max(200) });
const captureSchema = z.strictObject({
  target: z.string().min(1).max(300),
  filter: z.string().max(1_000).default(''),
  count: z.int().min(1).max(100_000).default(10_000),
  seconds: z.int().min(1).max(600).default(10),
});

/** An end of a trace: no white space and no option of a command. */
const traceEnd = z
  .string()
  .max(300)
  .regex(/^[\w[][\w.:/@%()[\]-]*$/, 'it is no name or address');
const traceSchema = z.strictObject({
  from: traceEnd,
  to: traceEnd,
  port: z.int().min(1).max(65_535).optional(),
  protocol: z.enum(['tcp', 'udp', 'icmp']),
});

function openRoutes(options: WebServerOptions): ReadonlyMap<string, Handler> {
  const { queries } = options;
  return new Map<string, Handler>([
    [`POST ${sessionPath}`, openSession(options)],
    [
      `GET ${sessionPath}`,
      ({ response }) => sendJson(response, 200, { actions: options.actions } satisfies SessionAnswer),
    ],
    ['GET /api/stream', openStream(options)],
    ['GET /api/explain', ({ response, url }) => sendJson(response, 200, queries.explain(required(url, 'ref')))],
    ['GET /api/rules', ({ response, url }) => sendJson(response, 200, queries.rules(readRulesQuery(url)))],
    ['GET /api/checks', async ({ response }) => sendJson(response, 200, await queries.checks())],
    ['POST /api/capture', openCapture(options)],
    ['POST /api/trace', openTrace(options)],
  ]);
}

function openSession({ sessions, actions }: WebServerOptions): Handler {
  return async ({ request, response }) => {
    const { token } = await readJsonBody(request, tokenSchema);
    const session = sessions.exchange(token);
    if (session === undefined)
      throw new NetyardError('unauthorized', 'the token is unknown, used or expired', {
        hint: 'run `netyard web` for a new address',
      });
    const secure = 'encrypted' in request.socket ? '; Secure' : '';
    const cookie = `${cookieName(request)}=${session.cookie}; Path=/; HttpOnly; SameSite=Strict${secure}`;
    response.setHeader('Set-Cookie', cookie);
    sendJson(response, 200, { key: session.key, actions } satisfies OpenedSessionAnswer);
  };
}

function openStream(options: WebServerOptions): Handler {
  const open = new Map<ServerResponse, string>();
  return ({ request, response }) => {
    const session = sessionOf(options, request) ?? '';
    const ofSession = [...open.values()].filter((one) => one === session).length;
    if (open.size >= maximumStreams || ofSession >= maximumStreamsOfSession)
      throw new NetyardError(
        'unavailable',
        `${ofSession} pages of this session and ${open.size} in all are open already`,
      );
    open.set(response, session);
    response.once('close', () => open.delete(response));
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.flushHeaders();
    streamEvents(response, options.feed, () => sessionOf(options, request) !== undefined);
  };
}

function openCapture({ queries, actions }: WebServerOptions): Handler {
  return async ({ request, response }) => {
    if (!actions) throw switchedOff('captures');
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const file = await queries.capture(await readJsonBody(request, captureSchema), gone.signal);
    response.writeHead(200, { 'Content-Type': 'application/x-pcapng' });
    for await (const piece of file) {
      if (response.destroyed) return;
      if (!response.write(piece)) await drained(response, gone.signal);
    }
    response.end();
  };
}

/** The probe is a packet of its own, or a connection without data: nothing is changed. */
function openTrace({ queries, actions }: WebServerOptions): Handler {
  return async ({ request, response }) => {
    if (!actions) throw switchedOff('traces');
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const { port, ...ends } = await readJsonBody(request, traceSchema);
    if ((ends.protocol === 'icmp') !== (port === undefined))
      throw new NetyardError('invalid', 'a trace over tcp or udp needs a port, one over icmp has none');
    const answer = await queries.trace({ ...ends, ...(port === undefined ? {} : { port }) }, gone.signal);
    if (!response.destroyed) sendJson(response, 200, answer);
  };
}

const switchedOff = (what: string): NetyardError =>
  new NetyardError('forbidden', `${what} are switched off`, { hint: 'start the daemon with --web-actions' });

async function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    response.on('drain', done);
    signal.addEventListener('abort', done);
  });
}

function readRulesQuery(url: URL): RulesQuery {
  const [port, linkTo] = ['port', 'linkTo'].map((name) => url.searchParams.get(name) ?? undefined);
  return {
    ref: required(url, 'ref'),
    ...(port === undefined ? {} : { port }),
    ...(linkTo === undefined ? {} : { linkTo }),
  };
}

function required(url: URL, name: string): string {
  const value = url.searchParams.get(name);
  if (value === null || value.trim() === '') throw new NetyardError('invalid', `the parameter ${name} is missing`);
  return value;
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}
