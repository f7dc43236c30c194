/**
 * The thread of layer-stream.ts: reads an upper directory and sends it as an image layer, one chunk for each request.
 * `stop` ends it early, with its descriptors closed.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { errorCodeOf, messageOf, NetyardError } from '@netyard/core';
import { layerArchive } from './archive-read.ts';
import type { LayerMessage, LayerRequest } from './layer-stream.ts';

const port = parentPort;
if (!port) throw new NetyardError('internal', 'this file runs in a worker thread only');
const send = (message: LayerMessage, moved: ArrayBuffer[] = []): void => port.postMessage(message, moved);
const chunks = layerArchive((workerData as { upper: string }).upper);

/** A copy, as what is moved to the other thread is detached here: its reader may not be done with it. */
function sendChunk(chunk: Uint8Array): void {
  const copy = new Uint8Array(chunk);
  send({ chunk: copy }, [copy.buffer]);
}

async function answer(): Promise<void> {
  try {
    const { done, value } = await chunks.next();
    if (!done) return sendChunk(value);
    send({ end: true });
  } catch (error) {
    const hint = error instanceof NetyardError ? error.hint : undefined;
    send({ error: { code: errorCodeOf(error), message: messageOf(error), hint } });
  }
  port?.close();
}

async function stop(): Promise<void> {
  await chunks.return(undefined); // waits for a request that is being answered
  port?.close();
}

port.on('message', (request: LayerRequest) => void (request === 'next' ? answer() : stop()));
