/** The worker's side of thread.ts: executes commands one after the other and answers them. */
import type { MessagePort, Transferable } from 'node:worker_threads';
import { failureCodeOf, messageOf, NetyardError } from '@netyard/core';
import type { Command, Message, ThreadError } from './thread.ts';

export interface ThreadPort<R> {
  report(report: R, moved?: Transferable[]): void;
}

export const threadError = (error: unknown): ThreadError => ({ code: failureCodeOf(error), message: messageOf(error) });

/** @param handle may return a promise; what it throws is the answer to a call, or a failure of the thread */
export function serveThread<C, R>(parent: MessagePort | null, handle: (command: C) => unknown): ThreadPort<R> {
  if (!parent) throw new NetyardError('internal', 'this file runs in a worker thread only');
  const send = (message: Message<R>, moved: Transferable[] = []): void => parent.postMessage(message, moved);
  const answer = async (call: number, command: C): Promise<void> => {
    try {
      send({ call, answer: await handle(command) });
    } catch (error) {
      send({ call, answer: undefined, error: threadError(error) });
    }
  };
  parent.on('message', ({ call, command }: Command<C>) => {
    if (call === undefined) handle(command);
    else void answer(call, command);
  });
  return { report: (report, moved) => send({ report }, moved) };
}
