/** The process that sends the measured requests (requests.ts). */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import type { Engine } from '../engine.ts';
import type { Samples } from '../measure.ts';

export interface RequestProcess {
  /** Sends requests one after the other. @returns the milliseconds that each took */
  measure(count: number): Promise<Samples>;
  end(): void;
}

export function startRequests(engine: Engine): RequestProcess {
  const child = fork(join(import.meta.dirname, 'requests.ts'), [engine.socket]);
  return {
    measure: (count) =>
      new Promise((resolve, reject) => {
        const fail = (): void => reject(new Error(`${engine.name}: the process that sends requests ended`));
        child.once('exit', fail).once('message', (samples) => {
          child.off('exit', fail);
          resolve(samples as number[]);
        });
        child.send(count);
      }),
    end: () => void child.kill(),
  };
}
