/** Measures the network actions of the engine, all in one place. */
import type { Networks } from '@netyard/sandbox';
import type { NetworkAction } from './activity.ts';

/** The same networks; `note` is called after each action that did not fail. */
export function timeNetworks(networks: Networks, note: (action: NetworkAction, seconds: number) => void): Networks {
  const timed =
    <A extends unknown[], R>(action: NetworkAction, run: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      const began = performance.now();
      const result = await run(...args);
      note(action, (performance.now() - began) / 1000);
      return result;
    };
  return {
    ...networks,
    prepare: timed('allocate', networks.prepare),
    release: timed('release', networks.release),
    connect: timed('connect', networks.connect),
    disconnect: timed('disconnect', networks.disconnect),
    create: timed('create', networks.create),
    remove: timed('delete', networks.remove),
  };
}
