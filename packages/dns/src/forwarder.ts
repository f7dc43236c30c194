/**
 * Forwards queries to upstream name servers and returns their answers unchanged except for the id. Each query leaves
 * from its own ephemeral port with a random id; an answer must come from the queried server and match id and question
 * (RFC 5452). Sockets are opened in the namespace of this process, not in a container's.
 */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createConnection, isIPv6 } from 'node:net';
import { frame, MessageReader } from './framing.ts';
import { answers, dnsPort, messageId, rcodeOf, rcodes, withId } from './message.ts';

export type Transport = 'udp' | 'tcp';

/** Resolvers wait five seconds by default: enough for two upstream servers. */
const timeoutMilliseconds = 2000;
/** MAXNS of resolv.conf(5). */
const maximumServers = 3;

export interface ForwarderOptions {
  /** Maximum of pending queries. */
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
   * Asks one server after the other. SERVFAIL and REFUSED are returned only when no later server answers. Undefined
   * when no server answered, or when too many queries are pending.
   */
  async ask(query: Buffer, servers: readonly string[], transport: Transport): Promise<Buffer | undefined> {
    if (this.#waiting >= this.#limit) return undefined;
    this.#waiting += 1;
    try {
      let last: Buffer | undefined;
      for (const server of servers.slice(0, maximumServers)) {
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
    const timer = setTimeout(end, timeoutMilliseconds, undefined);
    socket.on('error', () => end(undefined)); // refused, unreachable: the next one is asked at once
    socket.on('message', (message) => {
      if (answers(message, sent)) end(message);
    });
    // Connected, so that the kernel takes packets of that server only and reports a closed port.
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
    socket.setTimeout(timeoutMilliseconds, () => end(undefined));
    socket.on('error', () => end(undefined));
    socket.on('close', () => end(undefined));
    socket.on('data', (data) => {
      const answer = reader.take(data).find((message) => answers(message, sent));
      if (answer) end(answer);
    });
    socket.write(frame(sent));
  });
}
