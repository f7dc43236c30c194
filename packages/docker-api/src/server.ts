/**
 * The HTTP server: headers every answer has, limits against clients that are slow or wrong, requests handed to their
 * route, connections handed over to attach and exec, and errors answered in Docker's form. Listening is the daemon's.
 */
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerOptions } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import type { TlsOptions } from 'node:tls';
import { type Logger, messageOf, NetyardError } from '@netyard/core';
import { errorBody, statusOf } from './errors.ts';
import { type Answer, answerUpgrade, answerWith, type Exchange, type Headers } from './http/exchange.ts';
import { openRouter, type Route, type Router } from './http/router.ts';
import type { ApiOptions } from './options.ts';
import { captureRoutes } from './routes/capture.ts';
import { clusterRoutes } from './routes/cluster.ts';
import { containerArchiveRoutes } from './routes/container-archive.ts';
import { containerStreamRoutes } from './routes/container-streams.ts';
import { containerRoutes } from './routes/containers.ts';
import { execRoutes } from './routes/exec.ts';
import { imageRoutes } from './routes/images.ts';
import { networkRoutes } from './routes/networks.ts';
import { netyardRoutes } from './routes/netyard.ts';
import { peerRoutes } from './routes/peers.ts';
import { systemRoutes } from './routes/system.ts';
import { volumeRoutes } from './routes/volumes.ts';
import { formatVersion, maximumVersion } from './versions.ts';

const HEADERS_TIMEOUT_MS = 20_000;
const KEEP_ALIVE_TIMEOUT_MS = 60_000;
const CHECK_INTERVAL_MS = 5_000;
/** X-Registry-Config holds the credentials of every registry a user has. */
const MAXIMUM_HEADER_BYTES = 256 * 1024;

/** One listener's server; with TLS when given what it needs. */
export function createApiServer(options: ApiOptions, tls?: TlsOptions): Server {
  const router = openRouter(allRoutes(options));
  const common = commonHeaders(options.info.version);
  const { logger } = options;
  const serverOptions: ServerOptions = {
    maxHeaderSize: MAXIMUM_HEADER_BYTES,
    headersTimeout: HEADERS_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    connectionsCheckingInterval: CHECK_INTERVAL_MS,
    // Uploads (load, cp) take as long as they take; JSON bodies have a limit of their own.
    requestTimeout: 0,
    shouldUpgradeCallback: isHijack,
  };
  const onRequest: RequestListener = (request, response) => {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    request.on('error', () => gone.abort());
    response.on('error', () => gone.abort());
    void serve(router, request, answerWith(request, response, common), gone.signal, logger);
  };
  const server = tls
    ? createTlsServer({ ...serverOptions, ...tls }, onRequest)
    : createServer(serverOptions, onRequest);
  server.on('upgrade', (request: IncomingMessage, connection: Duplex, early: Buffer) => {
    // What came in one packet with the head and the body is already the process's input.
    if (early.length > 0) connection.unshift(early);
    const gone = new AbortController();
    connection.once('close', () => gone.abort());
    connection.on('error', () => gone.abort());
    void serve(router, request, answerUpgrade(connection, common), gone.signal, logger);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, connection) => refuseGarbage(error, connection));
  return server;
}

function allRoutes(options: ApiOptions): Route[] {
  return [
    ...systemRoutes(options),
    ...containerRoutes(options),
    ...containerStreamRoutes(options),
    ...containerArchiveRoutes(options),
    ...execRoutes(options),
    ...imageRoutes(options),
    ...networkRoutes(options),
    ...volumeRoutes(options),
    ...netyardRoutes(options),
    ...peerRoutes(options),
    ...clusterRoutes(options),
    ...captureRoutes(options),
  ];
}

const commonHeaders = (version: string): Headers => ({
  'Api-Version': formatVersion(maximumVersion),
  'Docker-Experimental': 'false',
  Ostype: 'linux',
  Server: `Netyard/${version} (linux)`,
});

const hijackPaths = /^(\/v[\d.]+)?\/(containers\/.+\/attach|exec\/[^/]+\/start|netyard\/v1\/capture)(\?|$)/;

/** Upgrade is for attach, exec and captures; whoever asks it of another path (buildkit's h2c) gets that path's ordinary answer. */
function isHijack(request: IncomingMessage): boolean {
  return (
    request.method === 'POST' && request.headers.upgrade?.toLowerCase() === 'tcp' && hijackPaths.test(request.url ?? '')
  );
}

async function serve(
  router: Router,
  request: IncomingMessage,
  answer: Answer,
  signal: AbortSignal,
  logger: Logger,
): Promise<void> {
  const began = performance.now();
  try {
    if (request.method === 'OPTIONS') return answer.send(200, {}, '');
    const { handler, ...match } = router.match(request);
    const exchange: Exchange = { request, answer, signal, ...match };
    await handler(exchange);
  } catch (error) {
    refuse(error, request, answer, signal, logger);
  } finally {
    const milliseconds = Math.round(performance.now() - began);
    logger.debug('request', { method: request.method, url: request.url, milliseconds });
  }
}

function refuse(error: unknown, request: IncomingMessage, answer: Answer, signal: AbortSignal, logger: Logger): void {
  const status = statusOf(error);
  const fields = { method: request.method, url: request.url, status, error: messageOf(error) };
  if (signal.aborted) {
    logger.debug('the client went away', fields);
    return;
  }
  if (status === 500)
    logger.error('request failed', { ...fields, ...(isOurs(error) ? {} : { stack: stackOf(error) }) });
  else logger.debug('request refused', fields);
  // The head has gone out: all that is left to say it with is the end of the connection.
  if (answer.started) request.socket.destroy();
  else
    answer.send(
      status,
      { 'Content-Type': 'application/json' },
      status === 304 ? '' : `${JSON.stringify(errorBody(error, request))}\n`,
    );
}

/** Known failures are told by their message; where in the code they came up is of interest for bugs only. */
const isOurs = (error: unknown): boolean => error instanceof NetyardError;
const stackOf = (error: unknown): string => (error instanceof Error ? (error.stack ?? '') : '');

/** What is no HTTP at all. */
function refuseGarbage(error: NodeJS.ErrnoException, connection: Duplex): void {
  if (error.code === 'ECONNRESET' || !connection.writable) {
    connection.destroy();
    return;
  }
  const status = clientErrors[error.code ?? ''] ?? '400 Bad Request';
  const body = `${JSON.stringify({ message: `${status.slice(4)}: ${error.message}` })}\n`;
  connection.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
  setTimeout(() => connection.destroy(), 1_000).unref();
}

const clientErrors: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};
