/**
 * Passes queries on to other name servers and brings their answers back, byte for byte but for the id. Each goes out
 * from a port of its own, chosen by the kernel, under a random id, and only an answer from where it was sent to, with
 * that id and that question, is taken (RFC 5452). Sockets are made where the process is, not in containers.
 */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createConnection, isIPv6 } from 'node:net';
import { frame, MessageReader } from './framing.ts';
import { answers, messageId, rcodeOf, rcodes, withId } from './message.ts';
import { dnsPort } from './resolvers.ts';

export type Transport = 'udp' | 'tcp';

/** Some resolvers wait five seconds for us: two servers of ours are asked meanwhile. */
const patienceMilliseconds = 2000;
/** As many as resolv.conf(5) has. */
const mostServers = 3;

export interface ForwarderOptions {
  /** Queries on their way at one time. */
  limit: number;
  port?: number;
}

export class Forwarder {
  readonly #limit: number;
  readonly #port: number;
  #waiting = 0;

  constructor({ limit, port = dnsPort }: ForwarderOptions) {
    this.#limit = limit;
    this.#port = port;
  }

  /**
   * One server after the other until one answers for good: `server failure` and `refused` are not the last word while
   * there is another to ask. Undefined when nobody answered, or too many wait already.
   */
  async ask(query: Buffer, servers: readonly string[], transport: Transport): Promise<Buffer | undefined> {
    if (this.#waiting >= this.#limit) return undefined;
    this.#waiting += 1;
    try {
      let last: Buffer | undefined;
      for (const server of servers.slice(0, mostServers)) {
        const answer = await this.#askOne(query, server, transport);
        if (answer && ![rcodes.serverFailure, rcodes.refused].includes(rcodeOf(answer))) return answer;
        last = answer ?? last;
      }
      return last;
    } finally {
      this.#waiting -= 1;
    }
  }

  async #askOne(query: Buffer, server: string, transport: Transport): Promise<Buffer | undefined> {
    const sent = withId(query, randomInt(0x10000));
    const exchange = transport === 'udp' ? askUdp : askTcp;
    const answer = await exchange(sent, server, this.#port);
    return answer && withId(answer, messageId(query));
  }
}

function askUdp(sent: Buffer, server: string, port: number): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(server) ? 'udp6' : 'udp4');
    const end = (answer: Buffer | undefined): void => {
      clearTimeout(timer);
      socket.removeAllListeners().on('error', () => {});
      socket.close();
      resolve(answer);
    };
    const timer = setTimeout(end, patienceMilliseconds, undefined);
    socket.on('error', () => end(undefined)); // refused, unreachable: the next one is asked at once
    socket.on('message', (message) => {
      if (answers(message, sent)) end(message);
    });
    // Connected, so that the kernel takes packets of that server only and tells when nobody listens there.
    socket.connect(port, server, () => socket.send(sent));
  });
}

function askTcp(sent: Buffer, server: string, port: number): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: server, port });
    const reader = new MessageReader();
    const end = (answer: Buffer | undefined): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(patienceMilliseconds, () => end(undefined));
    socket.on('error', () => end(undefined));
    socket.on('close', () => end(undefined));
    socket.on('data', (data) => {
      const answer = reader.take(data).find((message) => answers(message, sent));
      if (answer) end(answer);
    });
    socket.write(frame(sent));
  });
}
