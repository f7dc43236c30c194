/** The thread of unpack.ts: unpacks one layer, whose archive arrives in messages. */
import { parentPort, workerData } from 'node:worker_threads';
import { errorCodeOf, messageOf, NetyardError } from '@netyard/core';
import { writeLayer } from './layer-writer.ts';
import type { FromUnpacker, ToUnpacker, UnpackRequest } from './unpack.ts';

const port = parentPort;
if (!port) throw new NetyardError('internal', 'this file runs in a worker thread only');
const send = (message: FromUnpacker): void => port.postMessage(message);

const waiting: ToUnpacker[] = [];
let wake: () => void = () => undefined;
port.on('message', (message: ToUnpacker) => {
  waiting.push(message);
  wake();
});

async function* received(): AsyncGenerator<Uint8Array> {
  for (;;) {
    const message = waiting.shift();
    if (message === undefined) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    } else if (message === 'end') return;
    else if (message === 'failed') throw new NetyardError('failed', 'the source of the layer failed');
    else {
      yield new Uint8Array(message.data);
      send({ taken: message.data.byteLength });
    }
  }
}

try {
  send({ report: await writeLayer(received(), (workerData as UnpackRequest).folder, workerData as UnpackRequest) });
} catch (error) {
  const hint = error instanceof NetyardError ? error.hint : undefined;
  send({ error: { code: errorCodeOf(error), message: messageOf(error), hint } });
} finally {
  port.close();
}
