/**
 * Detects changes in network namespaces at once: one rtnetlink socket inside each, all of them in one epoll set.
 *
 * A socket's buffer holds a few messages, which are not read before `rearm`: once the buffer is full, the kernel drops
 * further messages and sends no further signal. So a namespace that changes constantly costs this process nothing.
 * NETLINK_LISTEN_ALL_NSID would need only one socket, but its overrun would hide which namespace changed, and each message
 * of the machine would be compared with all of its namespaces: see decision 0020.
 */
import { checked, closeFile, O_CLOEXEC } from '../../system/calls.ts';
import {
  EPOLL_CTL_ADD,
  EPOLL_CTL_MOD,
  EPOLLIN,
  EPOLLONESHOT,
  encodeEpollEvent,
  epollEventSize,
  epollKeyAt,
} from '../../system/epoll-event.ts';
import { errnoOf, kernelError } from '../../system/ffi/errno.ts';
import { libc } from '../../system/ffi/libc.ts';
import { onReadable, signalWhenReadable } from '../../system/readable-signal.ts';
import { viewOf } from '../attribute.ts';
import { NETLINK_ROUTE, openNetlink, setIntegerOption } from '../socket.ts';

/**
 * linux/rtnetlink.h RTNLGRP_LINK, _IPV4_IFADDR, _IPV4_ROUTE, _IPV6_IFADDR, _IPV6_ROUTE, _IPV4_NETCONF, _IPV6_NETCONF.
 * Not RTNLGRP_NEIGH: neighbours come and go with traffic.
 */
const groups = [1, 5, 7, 9, 11, 24, 25];
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const eventsPerWait = 64;
/** More than the smallest buffer holds. A writer that is faster than this loop is read again later. */
const maxMessages = 256;

export class NotificationSockets {
  readonly #report: (path: string) => void;
  readonly #epoll: number;
  readonly #stop: () => void;
  readonly #sockets = new Map<string, number>();
  readonly #paths = new Map<number, string>();
  readonly #events = new Uint8Array(epollEventSize * eventsPerWait);
  readonly #discarded = new Uint8Array(8192);

  constructor(report: (path: string) => void) {
    this.#report = report;
    this.#epoll = checked(libc().epoll_create1(O_CLOEXEC), 'epoll_create1', 'namespaces');
    this.#stop = onReadable(() => this.reportReadable());
  }

  /**
   * Reports the next change of the namespace at `path`, once. The socket keeps the namespace alive until `remove`. Throws
   * KernelError ENOENT, EMFILE.
   */
  add(path: string): void {
    if (this.#sockets.has(path)) return;
    const fd = openNetlink(NETLINK_ROUTE, path, groups);
    try {
      setIntegerOption(fd, SOL_SOCKET, SO_RCVBUF, 0); // the kernel's minimum
      signalWhenReadable(fd);
      this.#control(EPOLL_CTL_ADD, fd);
    } catch (error) {
      closeFile(fd);
      throw error;
    }
    this.#sockets.set(path, fd);
    this.#paths.set(fd, path);
  }

  remove(path: string): void {
    const fd = this.#sockets.get(path);
    if (fd === undefined) return;
    this.#sockets.delete(path);
    this.#paths.delete(fd);
    closeFile(fd); // closing also removes it from the epoll set
  }

  /** Enables the next report. */
  rearm(path: string): void {
    const fd = this.#sockets.get(path);
    if (fd === undefined) return;
    const isEmpty = this.#discard(fd);
    this.#control(EPOLL_CTL_MOD, fd);
    if (!isEmpty) setImmediate(() => this.reportReadable()); // a full buffer sends no signal
  }

  close(): void {
    this.#stop();
    for (const path of [...this.#sockets.keys()]) this.remove(path);
    closeFile(this.#epoll);
  }

  #control(operation: number, fd: number): void {
    const event = encodeEpollEvent(EPOLLIN | EPOLLONESHOT, fd);
    checked(libc().epoll_ctl(this.#epoll, operation, fd, event), 'epoll_ctl', 'netlink socket');
  }

  /** Reads and discards pending messages. False when more kept arriving. */
  #discard(fd: number): boolean {
    for (let count = 0; count < maxMessages; count += 1) {
      if (libc().recv(fd, this.#discarded, this.#discarded.length, 0) >= 0) continue;
      const errno = libc().errno();
      if (errno === errnoOf('EAGAIN')) return true;
      if (errno !== errnoOf('EINTR') && errno !== errnoOf('ENOBUFS')) throw kernelError(errno, 'recv', 'notifications');
    }
    return false;
  }

  /** Reports changes whose signal is still to come. */
  reportReadable(): void {
    const view = viewOf(this.#events);
    for (;;) {
      const count = libc().epoll_wait(this.#epoll, this.#events, eventsPerWait, 0);
      const fds = Array.from({ length: Math.max(count, 0) }, (_, index) => epollKeyAt(view, index));
      for (const fd of fds) {
        const path = this.#paths.get(fd);
        if (path !== undefined) this.#report(path);
      }
      if (count < eventsPerWait) return;
    }
  }
}
