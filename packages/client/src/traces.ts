/** A peer's part of a packet trace, over Netyard's own route. */
import type { Duplex } from 'node:stream';
import type { Api } from './api.ts';

export interface TraceCall {
  /** The peer that is asked; undefined: the daemon itself. */
  peer?: string | undefined;
  /** A container there, `host`, or an address. */
  target: string;
  protocol: 'tcp' | 'udp' | 'icmp';
  port?: number | undefined;
  signal?: AbortSignal | undefined;
}

export class Traces {
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  /** JSON objects, one per line, in both directions: package trace has the conversation. */
  async open({ signal, ...query }: TraceCall): Promise<Duplex> {
    const { stream } = await this.#api.transport.hijack('/netyard/v1/trace', { query, signal });
    return stream;
  }
}
