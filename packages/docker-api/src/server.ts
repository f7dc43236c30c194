/**
 * The HTTP server: common headers, limits for slow and misbehaving clients, dispatch to routes, upgrades for attach and
 * exec, and error responses in Docker's form. The daemon listens.
 */
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import type { TlsOptions } from 'node:tls';
import { type Logger, messageOf } from '@netyard/core';
import { errorBody, HttpError, statusOf } from './errors.ts';
import { ClientGone } from './http/client-gone.ts';
import { Connections } from './http/connections.ts';
import { logBrokenOff, logFailure, stacksOf } from './http/failure-log.ts';
import { type ApiLimits, defaultLimits } from './http/limits.ts';
import { Pipeline } from './http/pipeline.ts';
import { type Answer, answerUpgrade, answerWith, type Headers } from './http/request-context.ts';
import { withRequestScope } from './http/request-scope.ts';
import { openRouter, type Route, type Router } from './http/router.ts';
import { asksForWebSocket } from './http/web-socket.ts';
import type { ApiOptions, HandledRequest } from './options.ts';
import { buildRoutes } from './routes/build.ts';
import { captureRoutes } from './routes/capture.ts';
import { clusterRoutes } from './routes/cluster.ts';
import { containerArchiveRoutes } from './routes/container-archive.ts';
import { containerPortRoutes } from './routes/container-ports.ts';
import { containerStreamRoutes } from './routes/container-streams.ts';
import { containerRoutes } from './routes/containers.ts';
import { execRoutes } from './routes/exec.ts';
import { imageRoutes } from './routes/images.ts';
import { journalRoutes } from './routes/journal.ts';
import { networkRoutes } from './routes/networks.ts';
import { netyardRoutes } from './routes/netyard.ts';
import { pageRoutes } from './routes/page.ts';
import { peerRoutes } from './routes/peers.ts';
import { swarmRoutes } from './routes/swarm.ts';
import { systemRoutes } from './routes/system.ts';
import { traceRoutes } from './routes/trace.ts';
import { volumeRoutes } from './routes/volumes.ts';
import { formatVersion, maximumVersion } from './versions.ts';

const CLOSE_DELAY_MS = 1_000;

/** The server of one listener; with TLS if `tls` is set. */
export function createApiServer(options: ApiOptions, tls?: TlsOptions): Server {
  const router = openRouter(allRoutes(options));
  const common = commonHeaders(options.info.version);
  const { logger, noteHandled } = options;
  const noteRequest = (): void => options.engine.noteRequest();
  const limits: ApiLimits = { ...defaultLimits, ...options.limits };
  const connections = new Connections(tls ? limits.tcpConnections : limits.unixConnections);
  const pipeline = new Pipeline();
  /** Connections with a request in progress. */
  const underWay = new WeakSet<Duplex>();
  const serverOptions: ServerOptions = {
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headersMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: limits.checkIntervalMs,
    // Uploads (load, cp) may take any time; JSON bodies have their own limit.
    requestTimeout: 0,
    shouldUpgradeCallback: isHijack,
  };
  const start = (request: IncomingMessage, answer: Answer, stream: ServerResponse | Duplex): void => {
    const gone = new ClientGone();
    const { socket } = request;
    underWay.add(socket);
    connections.begin(socket);
    stream.once('close', () => {
      underWay.delete(socket);
      connections.end(socket);
      pipeline.leave(socket);
      gone.note();
      // Node does not end the request of an upgraded connection; a reader of its body would wait forever.
      if (!request.complete && !request.destroyed && socket.destroyed) request.destroy();
    });
    const onError = (): void => gone.note();
    request.on('error', onError);
    stream.on('error', onError);
    serve(router, { request, answer, gone, logger, limits, noteRequest, noteHandled });
  };
  const onRequest: RequestListener = (request, response) => {
    const answer = answerWith(request, response, common);
    pipeline.enter(request.socket, () => start(request, answer, response));
  };
  const server = tls
    ? createTlsServer({ ...serverOptions, handshakeTimeout: limits.handshakeMs, ...tls }, onRequest)
    : createServer(serverOptions, onRequest);
  // One more than allowed, so that a request with too many is rejected instead of truncated.
  server.maxHeadersCount = limits.headerCount + 1;
  connections.watch(server, tls !== undefined);
  server.on('upgrade', (request: IncomingMessage, connection: Duplex, early: Buffer) => {
    // Bytes after the body that arrived with it are already input for the process.
    if (early.length > 0) connection.unshift(early);
    const answer = answerUpgrade(request, connection, common);
    pipeline.enter(request.socket, () => start(request, answer, connection));
  });
  server.on('clientError', (error: NodeJS.ErrnoException, connection) => {
    // The client would take an error in the middle of a response for a part of it.
    if (underWay.has(connection)) connection.destroy();
    else answerParseError(error, connection);
  });
  return server;
}

/** All routes; tests iterate over them. */
export function allRoutes(options: ApiOptions): Route[] {
  return [
    ...systemRoutes(options),
    ...swarmRoutes(),
    ...containerRoutes(options),
    ...containerStreamRoutes(options),
    ...containerArchiveRoutes(options),
    ...execRoutes(options),
    ...imageRoutes(options),
    ...buildRoutes(options),
    ...networkRoutes(options),
    ...volumeRoutes(options),
    ...netyardRoutes(options),
    ...containerPortRoutes(options),
    ...peerRoutes(options),
    ...clusterRoutes(options),
    ...captureRoutes(options),
    ...traceRoutes(options),
    ...pageRoutes(options),
    ...journalRoutes(options),
  ];
}

const commonHeaders = (version: string): Headers => ({
  'Api-Version': formatVersion(maximumVersion),
  'Docker-Experimental': 'false',
  Ostype: 'linux',
  Server: `Netyard/${version} (linux)`,
});

const hijackPaths = /^(\/v[\d.]+)?\/(containers\/.+\/attach|exec\/[^/]+\/start|netyard\/v1\/(capture|trace))(\?|$)/;

const webSocketPath = /^(\/v[\d.]+)?\/containers\/.+\/attach\/ws(\?|$)/;

/**
 * Only attach, exec, captures and traces can be upgraded (to any protocol), and `attach/ws` to WebSocket. On another path
 * (BuildKit's h2c) the Upgrade header is ignored.
 */
function isHijack(request: IncomingMessage): boolean {
  const { method, url = '' } = request;
  return asksForWebSocket(request) ? webSocketPath.test(url) : method === 'POST' && hijackPaths.test(url);
}

interface Call {
  request: IncomingMessage;
  answer: Answer;
  gone: ClientGone;
  logger: Logger;
  noteRequest: () => void;
  noteHandled: ((request: HandledRequest) => void) | undefined;
  limits: ApiLimits;
}

/** Reading logs has lower priority: it yields to other requests. */
const logsPath = /\/containers\/.+\/logs(\?|$)/;

function serve(router: Router, call: Call): void {
  const { method = '', url = '' } = call.request;
  const fail = (error: unknown): void => {
    call.logger.error('uncaught exception in a request', {
      method,
      url,
      error: messageOf(error),
      stack: stacksOf(error),
    });
    refuse(error, call);
  };
  withRequestScope({ method, url, limits: call.limits, fail }, () => void run(router, call));
}

async function run(router: Router, call: Call): Promise<void> {
  const { request, answer, gone, logger, limits } = call;
  const began = performance.now();
  const isUrgent = !logsPath.test(request.url ?? '');
  let route: string | undefined;
  try {
    if (isUrgent) call.noteRequest();
    checkHeaders(request, limits);
    if (request.method === 'OPTIONS') return answer.send(200, {}, '');
    const { handler, pattern, params, version, query } = router.match(request);
    route = pattern;
    await handler({
      request,
      answer,
      params,
      version,
      query,
      get signal() {
        return gone.signal;
      },
      logError: (error) => logFailure(logger, request, error),
      logBrokenOff: (error) => logBrokenOff(logger, request, error),
    });
  } catch (error) {
    refuse(error, call);
  } finally {
    if (isUrgent) call.noteRequest();
    const { method = '', url } = request;
    const milliseconds = performance.now() - began;
    logger.debug('request', { method, url, milliseconds: Math.round(milliseconds) });
    if (route !== undefined) call.noteHandled?.({ method, route, status: answer.status, seconds: milliseconds / 1000 });
  }
}

function checkHeaders({ rawHeaders }: IncomingMessage, { headerCount }: ApiLimits): void {
  if (rawHeaders.length > headerCount * 2) throw new HttpError(431, `more than ${headerCount} header fields`);
}

function refuse(error: unknown, { request, answer, gone, logger }: Call): void {
  const status = statusOf(error);
  if (gone.isGone) {
    const { method, url } = request;
    logger.debug('the client disconnected', { method, url, status, error: messageOf(error) });
    return;
  }
  if (answer.started) {
    // The head has been sent: only breaking the connection shows that the response is incomplete.
    logBrokenOff(logger, request, error);
    request.socket.destroy();
    return;
  }
  logFailure(logger, request, error);
  answer.send(
    status,
    { 'Content-Type': 'application/json' },
    status === 304 ? '' : `${JSON.stringify(errorBody(error, request))}\n`,
  );
}

/** Answers input that is not HTTP. */
function answerParseError(error: NodeJS.ErrnoException, connection: Duplex): void {
  if (error.code === 'ECONNRESET' || !connection.writable) {
    connection.destroy();
    return;
  }
  const status = clientErrors[error.code ?? ''] ?? '400 Bad Request';
  const body = `${JSON.stringify({ message: status.slice(4) })}\n`;
  connection.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
  setTimeout(() => connection.destroy(), CLOSE_DELAY_MS).unref();
}

const clientErrors: Readonly<Record<string, string>> = {
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Payload Too Large',
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};
