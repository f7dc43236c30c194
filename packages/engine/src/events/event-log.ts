/**
 * Events for all listeners: keeps the last thousand for `since` and delivers new ones live. A listener that does not
 * keep up is ended rather than served with gaps.
 */
import type { Clock } from '@netyard/core';
import type { EngineCounters, EventStream } from '../contract.ts';
import type { EngineEvent } from '../model.ts';
import { eventFilter } from './event-filter.ts';

const kept = 1024;
const maximumBacklog = 4096;

interface Listener {
  accepts: (event: EngineEvent) => boolean;
  backlog: EngineEvent[];
  overrun: boolean;
  wake: (() => void) | undefined;
}

export class EventLog implements EventStream {
  readonly #clock: Clock;
  readonly #past: EngineEvent[] = [];
  readonly #listeners = new Set<Listener>();
  #published = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get counters(): Pick<EngineCounters, 'events' | 'eventSubscribers'> {
    return { events: this.#published, eventSubscribers: this.#listeners.size };
  }

  publish(event: Omit<EngineEvent, 'time'>): void {
    const stamped = { ...event, time: this.#clock.now() };
    this.#published += 1;
    this.#past.push(stamped);
    if (this.#past.length > kept) this.#past.shift();
    for (const listener of this.#listeners) {
      if (!listener.accepts(stamped)) continue;
      if (listener.backlog.length < maximumBacklog) listener.backlog.push(stamped);
      else listener.overrun = true;
      listener.wake?.();
    }
  }

  /** Checks filters and starts listening at once, before the first `next()`. */
  subscribe(options: Parameters<EventStream['subscribe']>[0]): AsyncIterable<EngineEvent> {
    const { since, until, signal } = options;
    const accepts = eventFilter(options.filters);
    const listener: Listener = { accepts, backlog: [], overrun: false, wake: undefined };
    if (since !== undefined || until !== undefined) {
      const from = since ?? 0n;
      const past = this.#past.filter((event) => event.time >= from && (until === undefined || event.time <= until));
      listener.backlog.push(...past.filter(accepts));
    }
    const now = this.#clock.now();
    const live = until === undefined || until > now;
    if (live) this.#listeners.add(listener);
    const end = until === undefined || !live ? signal : AbortSignal.any([signal, timeoutAt(until - now)]);
    const stop = (): void => void this.#listeners.delete(listener);
    end.addEventListener('abort', stop, { once: true });
    return drain(listener, live, end, stop);
  }
}

/** Node's timers are limited to 2^31-1 ms; no listener waits that long. */
function timeoutAt(nanoseconds: bigint): AbortSignal {
  return AbortSignal.timeout(Math.min(Number(nanoseconds / 1_000_000n) + 1, 2 ** 31 - 1));
}

async function* drain(
  listener: Listener,
  live: boolean,
  signal: AbortSignal,
  stop: () => void,
): AsyncGenerator<EngineEvent> {
  try {
    for (;;) {
      for (let event = listener.backlog.shift(); event; event = listener.backlog.shift()) yield event;
      if (!live || listener.overrun || signal.aborted) return;
      await new Promise<void>((resolve) => {
        const done = (): void => {
          signal.removeEventListener('abort', done);
          listener.wake = undefined;
          resolve();
        };
        listener.wake = done;
        signal.addEventListener('abort', done, { once: true });
      });
    }
  } finally {
    stop();
  }
}
