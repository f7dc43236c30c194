/** The HTTP server of the metrics: `GET /metrics` and nothing else, with limits for slow clients. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { type Logger, messageOf } from '@netyard/core';
import { contentType } from './exposition.ts';

/** Milliseconds; bytes. Prometheus scrapes every few seconds over a few connections. */
const limits = { headersMs: 10_000, requestMs: 20_000, idleMs: 60_000, checkIntervalMs: 5_000, headerBytes: 16 * 1024 };
const maximumConnections = 64;

export interface MetricsServerOptions {
  /** The text to answer with. */
  scrape: () => Promise<string>;
  /**
   * The names of this host, if only this host reaches the listener. A page of another site may point its own name at a
   * loopback address (DNS rebinding) and so read what it serves: such requests name a host that is none of these.
   */
  names?: readonly string[];
  logger: Logger;
}

export function createMetricsServer({ scrape, names, logger }: MetricsServerOptions): Server {
  const server = createServer(
    {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.idleMs,
      connectionsCheckingInterval: limits.checkIntervalMs,
    },
    (request, response) => {
      if (names !== undefined && !isLocal(request.headers.host ?? '', names))
        return end(response, 403, 'the name in the Host header is none of this host\n');
      answer(request, response, scrape).catch((error: unknown) => {
        logger.error('the metrics could not be read', { error: messageOf(error) });
        if (response.headersSent) response.destroy();
        else end(response, 500, 'the metrics could not be read\n');
      });
    },
  );
  server.maxConnections = maximumConnections;
  server.setTimeout(limits.idleMs); // closes connections whose client does not read the answer
  return server;
}

/** Addresses are no names that a DNS server can point elsewhere. HTTP/1.0 needs no Host header; browsers always send it. */
function isLocal(host: string, names: readonly string[]): boolean {
  const name = host.replace(/:\d*$/, '').toLowerCase();
  const address = name.replace(/^\[(.*)\]$/, '$1');
  return name === '' || isIP(address) !== 0 || name === 'localhost' || names.some((one) => one.toLowerCase() === name);
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  scrape: () => Promise<string>,
): Promise<void> {
  request.resume();
  const [path] = (request.url ?? '').split('?');
  if (path !== '/metrics') return end(response, 404, 'page not found\n');
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD');
    return end(response, 405, 'method not allowed\n');
  }
  const text = await scrape();
  response.setHeader('Content-Type', contentType);
  end(response, 200, text);
}

function end(response: ServerResponse, status: number, body: string): void {
  if (!response.hasHeader('Content-Type')) response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.statusCode = status;
  response.setHeader('Content-Length', Buffer.byteLength(body));
  response.end(response.req.method === 'HEAD' ? '' : body);
}
