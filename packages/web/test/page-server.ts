/** A server of the page with fixed data, and a client that sends any headers. */
import { once } from 'node:events';
import { type IncomingHttpHeaders, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import { silentLogger, systemClock } from '@netyard/core';
import type { TraceAnswer } from '@netyard/page';
import { loopbackHosts } from '../src/access.ts';
import type { FeedMessage } from '../src/feed.ts';
import { createWebServer, type WebServerOptions } from '../src/server.ts';
import { Sessions } from '../src/sessions.ts';

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface PageServer {
  port: number;
  sessions: Sessions;
  /** Adds a correct Host header and the page's own headers; a header with the value '' is omitted. */
  send(method: string, path: string, headers?: Record<string, string>, body?: string): Promise<Answer>;
  /** Headers of an open session. */
  login(): Promise<Record<string, string>>;
}

const reached: TraceAnswer = {
  ...{ hostName: 'host1', outcome: 'reached', cause: 'reached', sentence: '', grade: 'observed' },
  ...{ steps: [], answer: [], incomplete: [] },
};
const snapshot: FeedMessage = { event: 'snapshot', data: '{"items":[]}' };

export async function servePage(test: TestContext, more: Partial<WebServerOptions> = {}): Promise<PageServer> {
  const sessions = new Sessions(systemClock);
  const own = { scheme: 'http' as const, hosts: new Set<string>() as ReadonlySet<string> };
  const file = { type: 'text/html; charset=utf-8', content: Buffer.from('<title>page</title>'), immutable: false };
  const options: WebServerOptions = {
    own: () => own,
    sessions,
    files: new Map([['/', file]]),
    feed: {
      listen(listener) {
        listener(snapshot);
        return () => undefined;
      },
      snapshot: () => snapshot,
    },
    queries: {
      explain: (ref) => ({ script: `# ${ref}` }),
      rules: () => ({ rules: [] }),
      checks: async () => ({ checks: [] }),
      trace: async ({ from, to }) => ({ ...reached, sentence: `${from} reaches ${to}.` }),
      capture: async () => Readable.from([Buffer.from('pcap'), Buffer.from('ng')]),
    },
    actions: true,
    clock: systemClock,
    logger: silentLogger,
    ...more,
  };
  const server = createWebServer(options);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  own.hosts = loopbackHosts('127.0.0.1', port);
  test.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const send = (method: string, path: string, headers: Record<string, string> = {}, body = ''): Promise<Answer> => {
    const type = method === 'POST' ? { 'Content-Type': 'application/json' } : {};
    const all = { Host: `127.0.0.1:${port}`, 'X-Netyard-Page': '1', ...type, ...headers };
    return sendTo(
      port,
      method,
      path,
      Object.fromEntries(Object.entries(all).filter(([, value]) => value !== '')),
      body,
    );
  };
  const login = async (): Promise<Record<string, string>> => {
    const { token } = sessions.issueToken();
    const { headers, body } = await send('POST', '/api/session', {}, JSON.stringify({ token }));
    const cookie = headers['set-cookie']?.[0]?.split(';')[0] ?? '';
    return { Cookie: cookie, 'X-Netyard-Key': (JSON.parse(body) as { key: string }).key };
  };
  return { port, sessions, send, login };
}

function sendTo(
  port: number,
  method: string,
  path: string,
  headers: Record<string, string>,
  body: string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, method, path, headers, agent: false }, (answer) => {
      let text = '';
      const finish = (): void => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text });
      answer.setEncoding('utf8');
      answer.on('data', (piece: string) => {
        text += piece;
        // A stream of events does not end.
        if (path === '/api/stream' && text.includes('\n\n')) {
          finish();
          sent.destroy();
        }
      });
      answer.on('end', finish);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
