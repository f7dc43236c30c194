/** Serves the page with synthetic items, on a free port of 127.0.0.1: for tests, screenshots and measurements. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { NetyardError, silentLogger, systemClock } from '@netyard/core';
import type { PageItem, RatesMessage } from '@netyard/page';
import { createWebServer, type FeedMessage, loopbackHosts, readPageFiles, Sessions } from '@netyard/web';
import { syntheticRates } from './synthetic.ts';

export interface ServedPage {
  /** Opens the page once. */
  url(): string;
  close(): void;
}

export interface ServedOptions {
  /** What is sent every second. Default: rates of every third container. */
  messages?: (step: number) => FeedMessage[];
  /** Called when the items are sent to a page. */
  sent?: () => void;
}

const rules = [
  {
    effect: 'translates' as const,
    text: 'any address, port 8000/tcp leads to 10.0.0.2:80',
    command: "nft 'add element ip netyard published_any { tcp . 8000 : 10.0.0.2 . 80 }'",
  },
];

export const ratesMessage = (rates: RatesMessage): FeedMessage => ({ event: 'rates', data: JSON.stringify(rates) });

export async function servePage(
  items: readonly PageItem[],
  { messages = (step) => [ratesMessage(syntheticRates(items, step))], sent }: ServedOptions = {},
): Promise<ServedPage> {
  const sessions = new Sessions(systemClock);
  let hosts: ReadonlySet<string> = new Set();
  const snapshot = { event: 'snapshot' as const, data: JSON.stringify({ items }) };
  const server = createWebServer({
    own: () => ({ scheme: 'http', hosts }),
    sessions,
    files: readPageFiles(join(import.meta.dirname, '../../packages/page/dist')),
    feed: {
      listen(listener) {
        listener(snapshot);
        sent?.();
        let step = 0;
        const send = (): void => {
          step += 1;
          for (const message of messages(step)) listener(message);
        };
        send();
        const timer = setInterval(send, 1_000);
        return () => clearInterval(timer);
      },
      snapshot: () => snapshot,
    },
    queries: {
      explain: (ref) => ({ script: `# ${ref}\nip link add name ny1 type veth peer name eth0\n` }),
      rules: () => ({ rules }),
      checks: async () => ({ checks: [] }),
      capture: async () => Readable.from([]),
      trace: async () => {
        throw new NetyardError('not-implemented', 'synthetic containers have no network');
      },
    },
    actions: true,
    clock: systemClock,
    logger: silentLogger,
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  hosts = loopbackHosts('127.0.0.1', port);
  return {
    url: () => `http://127.0.0.1:${port}/#token=${sessions.issueToken().token}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
