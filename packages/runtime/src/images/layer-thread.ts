/**
 * The thread of layer-stream.ts: reads an upper directory and sends it as an image layer, one chunk for each request.
 * `stop` ends it early, with its descriptors closed.
 */
import { sentError, serveJobs } from '@netyard/core';
import { layerArchive } from './archive-read.ts';
import type { LayerMessage, LayerRequest } from './layer-stream.ts';

serveJobs<LayerRequest, LayerMessage>((send) => {
  let chunks: AsyncGenerator<Uint8Array> | undefined;

  const answer = async (): Promise<void> => {
    try {
      const next = await chunks?.next();
      if (next === undefined || next.done) return send('end');
      // A copy, as what is moved to the other thread is detached here: its reader may not be done with it.
      const chunk = new Uint8Array(next.value);
      send({ chunk }, [chunk.buffer]);
    } catch (error) {
      send({ error: sentError(error) });
    }
  };

  const stop = async (): Promise<void> => {
    await chunks?.return(undefined); // waits for a request that is being answered
    send('end');
  };

  return (request) => {
    if (typeof request === 'object') chunks = layerArchive(request.upper);
    else void (request === 'next' ? answer() : stop());
  };
});
