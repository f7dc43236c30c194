/**
 * Kernel notifications as an async iterable: links, addresses, routes and nftables of the process's own namespace.
 *
 * SIGIO signals that a socket is readable (see readable-signal.ts). In a Worker `watch` throws.
 */
import { failureCodeOf, messageOf, NetyardError } from '@netyard/core';
import type { KernelEvent } from '../contract.ts';
import { EventQueue } from '../netlink/event-queue.ts';
import { decodeNftEvent, decodeRouteEvent } from '../netlink/events.ts';
import { decodeMessages, type NetlinkMessage } from '../netlink/message.ts';
import { NETLINK_NETFILTER, NETLINK_ROUTE, openNetlink, setIntegerOption } from '../netlink/socket.ts';
import { closeFile } from '../system/calls.ts';
import { errnoOf, kernelError } from '../system/ffi/errno.ts';
import { libc } from '../system/ffi/libc.ts';
import { checkMainThread, onReadable, signalWhenReadable } from '../system/readable-signal.ts';

/** linux/rtnetlink.h RTNLGRP_LINK, _NEIGH, _IPV4_IFADDR, _IPV4_ROUTE, _IPV6_IFADDR, _IPV6_ROUTE, _IPV4_NETCONF. */
const routeGroups = [1, 3, 5, 7, 9, 11, 24];
/** linux/netfilter/nfnetlink.h NFNLGRP_NFTABLES. */
const nftGroups = [7];
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const receiveBuffer = 1 << 20;
const bufferLength = 65536;
/** Maximum delay of a timer. The timer only keeps the process alive during a watch. */
const maxTimerDelay = 2 ** 31 - 1;

class NotificationSocket {
  readonly #fd: number;
  readonly #decode: (message: NetlinkMessage) => KernelEvent | undefined;

  constructor(
    protocol: number,
    groups: readonly number[],
    decode: (message: NetlinkMessage) => KernelEvent | undefined,
  ) {
    this.#fd = openNetlink(protocol, undefined, groups);
    this.#decode = decode;
    setIntegerOption(this.#fd, SOL_SOCKET, SO_RCVBUFFORCE, receiveBuffer);
    signalWhenReadable(this.#fd);
  }

  /** Reads all pending notifications. Lost ones yield one `resync`. */
  read(buffer: Uint8Array): KernelEvent[] {
    const events: KernelEvent[] = [];
    for (;;) {
      const length = libc().recv(this.#fd, buffer, buffer.length, 0);
      if (length >= 0) {
        const messages = decodeMessages(buffer.subarray(0, length));
        events.push(...messages.map(this.#decode).filter((event) => event !== undefined));
        continue;
      }
      const errno = libc().errno();
      if (errno === errnoOf('EAGAIN')) return events;
      if (errno === errnoOf('ENOBUFS')) events.push({ type: 'resync' });
      else if (errno !== errnoOf('EINTR')) throw kernelError(errno, 'recv', 'notifications');
    }
  }

  close(): void {
    closeFile(this.#fd);
  }
}

/** See `Kernel.watch`. Notifications are queued from the call on, not from the first `next`. */
export function watchKernel(signal: AbortSignal): AsyncIterable<KernelEvent> {
  checkMainThread('watch');
  const queue = new EventQueue<KernelEvent>();
  if (signal.aborted) {
    queue.end();
    return queue;
  }
  const buffer = new Uint8Array(bufferLength);
  const sockets: NotificationSocket[] = [];
  const keepAlive = setInterval(() => undefined, maxTimerDelay);
  const read = (): void => {
    try {
      for (const socket of sockets) for (const event of socket.read(buffer)) queue.push(event);
    } catch (error) {
      end(error);
    }
  };
  const end = (error?: unknown): void => {
    clearInterval(keepAlive);
    signal.removeEventListener('abort', onAbort);
    for (const socket of sockets) socket.close();
    sockets.length = 0;
    stopReading();
    queue.end(error);
  };
  const onAbort = (): void => end();
  const stopReading = onReadable(read);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    sockets.push(new NotificationSocket(NETLINK_ROUTE, routeGroups, decodeRouteEvent));
    sockets.push(new NotificationSocket(NETLINK_NETFILTER, nftGroups, decodeNftEvent));
  } catch (error) {
    end();
    throw new NetyardError(failureCodeOf(error), `cannot watch the kernel: ${messageOf(error)}`, { cause: error });
  }
  read(); // notifications from before O_ASYNC was set caused no signal
  return queue;
}
