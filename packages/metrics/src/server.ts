/** The HTTP server of the metrics: `GET /metrics` and nothing else, with limits for slow clients. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type Logger, messageOf } from '@netyard/core';
import { contentType } from './exposition.ts';

/** Milliseconds; bytes. Prometheus scrapes every few seconds over a few connections. */
const limits = { headersMs: 10_000, requestMs: 20_000, idleMs: 60_000, checkIntervalMs: 5_000, headerBytes: 16 * 1024 };
const maximumConnections = 64;

/** @param scrape the text to answer with */
export function createMetricsServer(scrape: () => Promise<string>, logger: Logger): Server {
  const server = createServer(
    {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.idleMs,
      connectionsCheckingInterval: limits.checkIntervalMs,
    },
    (request, response) => {
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
