/** The thread of unpack.ts: unpacks layers, whose archives arrive in messages. */
import { NetyardError, type Send, sentError, serveJobs } from '@netyard/core';
import { writeLayer } from './layer-writer.ts';
import type { FromUnpacker, ToUnpacker, UnpackRequest } from './unpack.ts';

type Content = Exclude<ToUnpacker, { request: UnpackRequest }>;

serveJobs<ToUnpacker, FromUnpacker>((send) => {
  const content = new ReceivedContent(send);
  const unpack = async (request: UnpackRequest): Promise<void> => {
    try {
      send({ report: await writeLayer(content.read(), request.folder, request) });
    } catch (error) {
      send({ error: sentError(error) });
    }
  };
  return (message) => {
    if (typeof message === 'object' && 'request' in message) void unpack(message.request);
    else content.add(message);
  };
});

class ReceivedContent {
  readonly #waiting: Content[] = [];
  readonly #send: Send<FromUnpacker>;
  #wake: () => void = () => undefined;

  constructor(send: Send<FromUnpacker>) {
    this.#send = send;
  }

  add(content: Content): void {
    this.#waiting.push(content);
    this.#wake();
  }

  async *read(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const content = this.#waiting.shift();
      if (content === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      } else if (content === 'end') return;
      else if (content === 'failed') throw new NetyardError('failed', 'the source of the layer failed');
      else {
        for (const piece of content.pieces) yield piece;
        this.#send({ taken: content.pieces.reduce((sum, { length }) => sum + length, 0) });
      }
    }
  }
}
