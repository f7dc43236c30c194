/**
 * containerd's event stream about tasks: restored as long as the runtime is open, delivered to listeners in order. A
 * stream has no replay, so after each interruption listeners are asked to compare (`resync`).
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type Any, AnySchema } from '@bufbuild/protobuf/wkt';
import { type Logger, messageOf } from '@netyard/core';
import type { RuntimeEvent } from '@netyard/engine';
import type { ContainerdClient } from '../containerd/client.ts';
import { TaskExitSchema, TaskOOMSchema } from '../containerd/gen/task_events_pb.ts';
import { nanosecondsOf } from './any.ts';

const topics = { exit: '/tasks/exit', oom: '/tasks/oom', hello: '/netyard/hello' };
const helloEveryMs = 10;
const pauseMs = 50;

export interface TaskEventsOptions {
  client: ContainerdClient;
  /** Resolves when containerd responds again. */
  ready: () => Promise<void>;
  /** What to deliver for an event: it, and what containerd has not reported before it. */
  complete: (event: RuntimeEvent) => readonly RuntimeEvent[];
  logger: Logger;
}

export class TaskEvents {
  readonly #options: TaskEventsOptions;
  readonly #listeners = new Set<(event: RuntimeEvent) => void>();
  readonly #closing = new AbortController();
  readonly #first = Promise.withResolvers<void>();
  readonly #loop: Promise<void>;
  #wasEstablished = false;

  /** Starts at once. */
  constructor(options: TaskEventsOptions) {
    this.#options = options;
    this.#loop = this.#run();
  }

  /** Resolves when nothing can be missed any more: the first stream is established. */
  established(): Promise<void> {
    return this.#first.promise;
  }

  listen(listener: (event: RuntimeEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when a container's main process ends, when exits may have been missed, and on abort. */
  exitOf(id: string, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const unlisten = this.listen((event) => {
      const isItsEnd = event.type === 'exit' && event.id === id && event.execId === undefined;
      if (isItsEnd || event.type === 'resync') resolve();
    });
    const giveUp = (): void => {
      unlisten();
      resolve();
    };
    signal.addEventListener('abort', giveUp, { once: true });
    return promise;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { ready, logger } = this.#options;
    const { signal } = this.#closing;
    const closed = new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    while (!signal.aborted) {
      try {
        await Promise.race([ready(), closed]);
        if (!signal.aborted) await this.#follow();
      } catch (error) {
        if (signal.aborted) return;
        logger.debug('containerd’s event stream was interrupted', { error: messageOf(error) });
      }
      await pause(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /**
   * Runs one stream, to its end. containerd does not report when it listens, so we publish an event until we receive
   * it.
   */
  async #follow(): Promise<void> {
    const { client } = this.#options;
    const token = randomUUID();
    const stream = new AbortController();
    const received = new AbortController();
    const signal = AbortSignal.any([stream.signal, this.#closing.signal]);
    const greeting = this.#greet(token, AbortSignal.any([received.signal, signal])).catch((error) =>
      stream.abort(error),
    );
    const filters = Object.values(topics).map(
      (topic) => `namespace==${quote(client.namespace)},topic==${quote(topic)}`,
    );
    try {
      for await (const { topic, event } of client.events.subscribe({ filters }, { signal })) {
        if (!event) continue;
        const parsed = parseEvent(topic, event);
        if (parsed) this.deliver(parsed);
        else if (!received.signal.aborted && fromBinary(TaskOOMSchema, event.value).containerId === token) {
          received.abort();
          this.#establish();
        }
      }
    } finally {
      stream.abort();
      await greeting;
    }
  }

  async #greet(token: string, signal: AbortSignal): Promise<void> {
    // containerd accepts only types that it knows; the topic is our own
    const value = toBinary(TaskOOMSchema, create(TaskOOMSchema, { containerId: token }));
    const event = create(AnySchema, { typeUrl: 'containerd.events.TaskOOM', value });
    while (!signal.aborted) {
      await this.#options.client.events.publish({ topic: topics.hello, event });
      await pause(helloEveryMs, undefined, { signal }).catch(() => undefined);
    }
  }

  #establish(): void {
    this.#first.resolve();
    if (this.#wasEstablished) this.#emit({ type: 'resync' });
    this.#wasEstablished = true;
  }

  /** Also for events that containerd has not sent. */
  deliver(event: RuntimeEvent): void {
    for (const each of this.#options.complete(event)) this.#emit(each);
  }

  #emit(event: RuntimeEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.#options.logger.error('handling an event of the runtime failed', { event, error: messageOf(error) });
      }
    }
  }
}

function parseEvent(topic: string, event: Any): RuntimeEvent | undefined {
  if (topic === topics.oom) return { type: 'oom', id: fromBinary(TaskOOMSchema, event.value).containerId };
  if (topic !== topics.exit) return undefined;
  const { containerId, id, pid, exitStatus, exitedAt } = fromBinary(TaskExitSchema, event.value);
  const exit = { exitCode: exitStatus, exitedAt: nanosecondsOf(exitedAt) };
  return { type: 'exit', id: containerId, ...(id === containerId ? {} : { execId: id }), pid, exit };
}

const quote = (text: string): string => JSON.stringify(text);
