/**
 * Detects the ends of processes that are not children of this one: a pidfd for each (Linux 5.3), all of them in one epoll
 * set, which is asked when the caller wants to know. A pidfd refers to its process also after the pid is reused.
 */
import { checked, closeFile, O_CLOEXEC } from './calls.ts';
import { libc } from './ffi/libc.ts';

/** The same number on all architectures; glibc has pidfd_open(2) since 2.36. */
const SYS_pidfd_open = 434;
const EPOLL_CTL_ADD = 1;
const EPOLLIN = 0x1;
/** struct epoll_event is packed on x86-64 only. */
const eventSize = process.arch === 'x64' ? 12 : 16;
const dataOffset = eventSize - 8;
const eventsPerWait = 64;
const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

export class ProcessEnds {
  readonly #epoll = checked(libc().epoll_create1(O_CLOEXEC), 'epoll_create1', 'processes');
  /** pidfds by pid. */
  readonly #fds = new Map<number, number>();
  readonly #events = new Uint8Array(eventSize * eventsPerWait);

  /** Throws KernelError ESRCH, EMFILE, ENOSYS. */
  add(pid: number): void {
    this.remove(pid);
    const fd = checked(libc().syscallPidfdOpen(SYS_pidfd_open, pid, 0), 'pidfd_open', `${pid}`);
    this.#fds.set(pid, fd);
    const event = new Uint8Array(eventSize);
    const view = new DataView(event.buffer);
    view.setUint32(0, EPOLLIN, isLittleEndian);
    view.setUint32(dataOffset, pid, isLittleEndian);
    checked(libc().epoll_ctl(this.#epoll, EPOLL_CTL_ADD, fd, event), 'epoll_ctl', `${pid}`);
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
        const pid = view.getUint32(index * eventSize + dataOffset, isLittleEndian);
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
