/**
 * Forwards queries to upstream name servers and returns their answers unchanged except for the id. A server that has not
 * answered after a second is asked in parallel with the next one, and after the others from then on.
 */
import { FairBudget } from './budget.ts';
import { dnsPort, isFailure } from './message.ts';
import type { ServerHealth } from './server-health.ts';
import { type OpenSocket, startQuery, type Transport, type UpstreamQuery } from './upstream-query.ts';

/** When the next server is asked as well. */
const hedgeMilliseconds = 1000;
/** When a query is given up: resolvers wait five seconds by default. */
const timeoutMilliseconds = 4000;
/** MAXNS of resolv.conf(5). */
const maximumServers = 3;

export interface ForwarderOptions {
  /** Maximum of pending queries, divided fairly over the containers. */
  limit: number;
  port?: number;
}

/** Where to forward a query. */
export interface Upstreams {
  servers: readonly string[];
  /** Kept by the caller for all queries to these servers. */
  health: ServerHealth;
  /** Opens sockets in the namespace from which the servers are asked. Default: the process's own. */
  open?: OpenSocket | undefined;
  /** Whose share of the limit the query takes. */
  holder: string;
}

export class Forwarder {
  readonly #budget: FairBudget;
  readonly #port: number;

  constructor({ limit, port = dnsPort }: ForwarderOptions) {
    this.#budget = new FairBudget(limit);
    this.#port = port;
  }

  /**
   * Returns the first answer that is not SERVFAIL or REFUSED; one of these only when no other server answers. Undefined
   * when no server answered, or when too many queries are pending.
   */
  async ask(query: Buffer, upstreams: Upstreams, transport: Transport): Promise<Buffer | undefined> {
    if (!this.#budget.take(upstreams.holder)) return undefined;
    try {
      return await new Race(query, upstreams, transport, this.#port).run();
    } finally {
      this.#budget.release(upstreams.holder);
    }
  }
}

/** One query, to one server after the other until one answers. */
class Race {
  readonly #query: Buffer;
  readonly #upstreams: Upstreams;
  readonly #transport: Transport;
  readonly #port: number;
  readonly #waiting: string[];
  readonly #pending = new Set<UpstreamQuery>();
  readonly #result = Promise.withResolvers<Buffer | undefined>();
  #hedge: NodeJS.Timeout | undefined;
  /** A SERVFAIL or REFUSED. */
  #last: Buffer | undefined;
  #ended = false;

  constructor(query: Buffer, upstreams: Upstreams, transport: Transport, port: number) {
    this.#query = query;
    this.#upstreams = upstreams;
    this.#transport = transport;
    this.#port = port;
    this.#waiting = upstreams.health.order(upstreams.servers, performance.now()).slice(0, maximumServers);
  }

  async run(): Promise<Buffer | undefined> {
    const timeout = setTimeout(() => this.#end(this.#last), timeoutMilliseconds);
    this.#askNext();
    try {
      return await this.#result.promise;
    } finally {
      clearTimeout(timeout);
    }
  }

  #end(answer: Buffer | undefined): void {
    this.#ended = true;
    clearTimeout(this.#hedge);
    this.#result.resolve(answer);
    for (const query of this.#pending) query.close();
  }

  #askNext(): void {
    clearTimeout(this.#hedge);
    const server = this.#waiting.shift();
    if (server === undefined) {
      if (this.#pending.size === 0) this.#end(this.#last);
      return;
    }
    const { open, health } = this.#upstreams;
    const query = startQuery({ query: this.#query, server, port: this.#port, transport: this.#transport, open });
    this.#pending.add(query);
    query.answer.then((answer) => this.#answered(query, server, answer));
    this.#hedge = setTimeout(() => {
      health.failed(server, performance.now());
      this.#askNext();
    }, hedgeMilliseconds);
  }

  #answered(query: UpstreamQuery, server: string, answer: Buffer | undefined): void {
    this.#pending.delete(query);
    if (this.#ended) return;
    if (answer) this.#upstreams.health.answered(server);
    else this.#upstreams.health.failed(server, performance.now());
    if (answer !== undefined && !isFailure(answer)) {
      this.#end(answer);
      return;
    }
    this.#last = answer ?? this.#last;
    this.#askNext();
  }
}
