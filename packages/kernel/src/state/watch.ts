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
import { decodeNftChange, decodeRouteChange } from '../netlink/network-changes.ts';
import { NETLINK_NETFILTER, NETLINK_ROUTE, openNetlink, setIntegerOption } from '../netlink/socket.ts';
import type { OwnPorts } from '../netlink/socket-state.ts';
import type { NetworkChange } from '../network-change.ts';
import { closeFile } from '../system/calls.ts';
import { errnoOf, kernelError } from '../system/ffi/errno.ts';
import { libc } from '../system/ffi/libc.ts';
import { checkMainThread, onReadable, signalWhenReadable } from '../system/readable-signal.ts';
import { AuthorFinder } from './change-author.ts';

/** linux/rtnetlink.h RTNLGRP_LINK, _NEIGH, _IPV4_IFADDR, _IPV4_ROUTE, _IPV6_IFADDR, _IPV6_ROUTE, _IPV4_NETCONF. */
const routeGroups = [1, 3, 5, 7, 9, 11, 24];
/** RTNLGRP_LINK, _IPV4_IFADDR, _IPV4_ROUTE, _IPV4_RULE, _IPV6_IFADDR, _IPV6_ROUTE, _IPV6_RULE, _IPV4_NETCONF. */
const changeGroups = [1, 5, 7, 8, 9, 11, 19, 24];
/** linux/netfilter/nfnetlink.h NFNLGRP_NFTABLES. */
const nftGroups = [7];
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const receiveBuffer = 1 << 20;
const bufferLength = 65536;
/** Maximum delay of a timer. The timer only keeps the process alive during a watch. */
const maxTimerDelay = 2 ** 31 - 1;

interface SocketOptions<T> {
  protocol: number;
  groups: readonly number[];
  decode(message: NetlinkMessage): T | undefined;
}

class NotificationSocket<T> {
  readonly #fd: number;
  readonly #decode: (message: NetlinkMessage) => T | undefined;
  readonly #lost: T;

  constructor({ protocol, groups, decode }: SocketOptions<T>, lost: T) {
    this.#fd = openNetlink(protocol, undefined, groups);
    this.#decode = decode;
    this.#lost = lost;
    setIntegerOption(this.#fd, SOL_SOCKET, SO_RCVBUFFORCE, receiveBuffer);
    signalWhenReadable(this.#fd);
  }

  /** Reads all pending notifications. Lost ones yield one `resync`. */
  read(buffer: Uint8Array): T[] {
    const events: T[] = [];
    for (;;) {
      const length = libc().recv(this.#fd, buffer, buffer.length, 0);
      if (length >= 0) {
        const messages = decodeMessages(buffer.subarray(0, length));
        events.push(...messages.map(this.#decode).filter((event) => event !== undefined));
        continue;
      }
      const errno = libc().errno();
      if (errno === errnoOf('EAGAIN')) return events;
      if (errno === errnoOf('ENOBUFS')) events.push(this.#lost);
      else if (errno !== errnoOf('EINTR')) throw kernelError(errno, 'recv', 'notifications');
    }
  }

  close(): void {
    closeFile(this.#fd);
  }
}

/** See `Kernel.watch`. Notifications are queued from the call on, not from the first `next`. */
export function watchKernel(signal: AbortSignal): AsyncIterable<KernelEvent> {
  const sockets = [
    { protocol: NETLINK_ROUTE, groups: routeGroups, decode: decodeRouteEvent },
    { protocol: NETLINK_NETFILTER, groups: nftGroups, decode: decodeNftEvent },
  ];
  return watchSockets<KernelEvent>('watch', { sockets, lost: { type: 'resync' } }, signal);
}

/** See `Kernel.watchChanges`. `ports`: of this process's sockets. */
export function watchChanges(ports: OwnPorts, signal: AbortSignal): AsyncIterable<NetworkChange> {
  const authors = new AuthorFinder(ports);
  const sockets: SocketOptions<NetworkChange>[] = [
    {
      ...{ protocol: NETLINK_ROUTE, groups: changeGroups },
      decode: (message) => decodeRouteChange(message, (portId) => authors.find(portId)),
    },
    {
      ...{ protocol: NETLINK_NETFILTER, groups: nftGroups },
      decode: (message) => decodeNftChange(message, (commit) => authors.findNft(commit)),
    },
  ];
  return watchSockets('watchChanges', { sockets, lost: { type: 'resync' } }, signal);
}

function watchSockets<T>(
  operation: string,
  { sockets: options, lost }: { sockets: readonly SocketOptions<T>[]; lost: T },
  signal: AbortSignal,
): AsyncIterable<T> {
  checkMainThread(operation);
  const queue = new EventQueue<T>();
  if (signal.aborted) {
    queue.end();
    return queue;
  }
  const buffer = new Uint8Array(bufferLength);
  const sockets: NotificationSocket<T>[] = [];
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
    for (const one of options) sockets.push(new NotificationSocket(one, lost));
  } catch (error) {
    end();
    throw new NetyardError(failureCodeOf(error), `cannot watch the kernel: ${messageOf(error)}`, { cause: error });
  }
  read(); // notifications from before O_ASYNC was set caused no signal
  return queue;
}
