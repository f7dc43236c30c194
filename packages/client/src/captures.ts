/** Packet captures, over Netyard's own route. */
import type { Duplex } from 'node:stream';
import type { Api } from './api.ts';

export interface CaptureCall {
  /** A container, a network, `uplink`, or any of these on another host as `HOST/NAME`. */
  target: string;
  link?: string | undefined;
  filter?: string | undefined;
  snapLength?: number | undefined;
  count?: number | undefined;
  signal?: AbortSignal | undefined;
}

export class Captures {
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  /** A pcapng stream. `end()` asks the daemon to finish it, `destroy()` aborts it. */
  async open({ signal, ...query }: CaptureCall): Promise<Duplex> {
    const { stream } = await this.#api.transport.hijack('/netyard/v1/capture', { query, signal });
    return stream;
  }
}
