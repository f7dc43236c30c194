/**
 * Detects the ends of processes that are not children of this one: a pidfd for each (Linux 5.3), all of them in one epoll
 * set, which is asked when the caller wants to know. A pidfd refers to its process also after the pid is reused.
 */
import { checked, closeFile, O_CLOEXEC } from './calls.ts';
import { EPOLL_CTL_ADD, EPOLLIN, encodeEpollEvent, epollEventSize, epollKeyAt } from './epoll-event.ts';
import { libc } from './ffi/libc.ts';

/** The same number on all architectures; glibc has pidfd_open(2) since 2.36. */
const SYS_pidfd_open = 434;
const eventsPerWait = 64;

export class ProcessEnds {
  readonly #epoll = checked(libc().epoll_create1(O_CLOEXEC), 'epoll_create1', 'processes');
  /** pidfds by pid. */
  readonly #fds = new Map<number, number>();
  readonly #events = new Uint8Array(epollEventSize * eventsPerWait);

  /** Throws KernelError ESRCH, EMFILE, ENOSPC, ENOSYS. */
  add(pid: number): void {
    this.remove(pid);
    const fd = checked(libc().syscallPidfdOpen(SYS_pidfd_open, pid, 0), 'pidfd_open', `${pid}`);
    try {
      const event = encodeEpollEvent(EPOLLIN, pid);
      checked(libc().epoll_ctl(this.#epoll, EPOLL_CTL_ADD, fd, event), 'epoll_ctl', `${pid}`);
    } catch (error) {
      closeFile(fd);
      throw error;
    }
    this.#fds.set(pid, fd);
  }

  remove(pid: number): void {
    const fd = this.#fds.get(pid);
    if (fd === undefined) return;
    this.#fds.delete(pid);
    closeFile(fd); // closing also removes it from the epoll set
  }

  /** The processes that have ended, zombies too; they are removed. */
  takeEnded(): number[] {
    const ended: number[] = [];
    const view = new DataView(this.#events.buffer);
    for (;;) {
      const count = libc().epoll_wait(this.#epoll, this.#events, eventsPerWait, 0);
      for (let index = 0; index < count; index += 1) {
        const pid = epollKeyAt(view, index);
        // Removed before: a child between fork and exec still had the pidfd open, which kept it in the set.
        if (!this.#fds.has(pid)) continue;
        this.remove(pid);
        ended.push(pid);
      }
      if (count < eventsPerWait) return ended;
    }
  }

  close(): void {
    for (const pid of [...this.#fds.keys()]) this.remove(pid);
    closeFile(this.#epoll);
  }
}
