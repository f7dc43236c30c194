/** epoll(7) for the relay thread, which waits for descriptors and nothing else. */
import { checked, closeFile, O_CLOEXEC } from '../calls.ts';
import {
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  encodeEpollEvent,
  epollEventSize,
  epollEventsAt,
  epollKeyAt,
} from '../epoll-event.ts';
import { errnoOf } from '../ffi/errno.ts';
import { libc } from '../ffi/libc.ts';

const eventsPerWait = 64;

/** Called with the events that occurred. */
export type Handler = (events: number) => void;

/** A registered descriptor. Its number is not the key of an event: it may be reused while events are pending. */
export interface Registration {
  /** The events to wait for; an error is always reported. */
  setInterest(events: number): void;
  /** Until the next interest, nothing is reported, not even an error. */
  suspend(): void;
  remove(): void;
}

export class Poller {
  readonly #epoll = checked(libc().epoll_create1(O_CLOEXEC), 'epoll_create1', 'relayed ports');
  readonly #handlers = new Map<number, Handler>();
  readonly #events = new Uint8Array(epollEventSize * eventsPerWait);
  #keys = 0;

  add(fd: number, events: number, handler: Handler): Registration {
    this.#keys = (this.#keys + 1) % 0x7fffffff;
    const key = this.#keys;
    let interest: number | undefined = events;
    this.#handlers.set(key, handler);
    this.#control(EPOLL_CTL_ADD, fd, events, key);
    return {
      setInterest: (next) => {
        if (interest === undefined && next === 0) return;
        if (next !== interest) this.#control(interest === undefined ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, next, key);
        interest = next;
      },
      suspend: () => {
        if (interest !== undefined) this.#call(EPOLL_CTL_DEL, fd, 0, key);
        interest = undefined;
      },
      remove: () => {
        // Without a check: the main thread may have replaced the descriptor, which removes it from the set.
        if (this.#handlers.delete(key)) this.#call(EPOLL_CTL_DEL, fd, 0, key);
      },
    };
  }

  wait(timeoutMs: number): void {
    const count = libc().epoll_wait(this.#epoll, this.#events, eventsPerWait, timeoutMs);
    if (count < 0 && libc().errno() !== errnoOf('EINTR')) checked(count, 'epoll_wait', 'relayed ports');
    const view = new DataView(this.#events.buffer);
    for (let index = 0; index < count; index += 1) {
      const events = epollEventsAt(view, index);
      // A handler that ran before may have removed it.
      this.#handlers.get(epollKeyAt(view, index))?.(events);
    }
  }

  close(): void {
    closeFile(this.#epoll);
  }

  #control(operation: number, fd: number, events: number, key: number): void {
    const result = this.#call(operation, fd, events, key);
    // ENOENT, EPERM: the main thread has replaced the descriptor of a port that was released.
    if (result < 0 && !['ENOENT', 'EPERM'].some((name) => libc().errno() === errnoOf(name)))
      checked(result, 'epoll_ctl', `fd ${fd}`);
  }

  #call(operation: number, fd: number, events: number, key: number): number {
    return libc().epoll_ctl(this.#epoll, operation, fd, encodeEpollEvent(events, key));
  }
}
