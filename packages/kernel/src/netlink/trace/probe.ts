/**
 * A probe: one TCP connection attempt, UDP datagram or echo request from a socket in the sender's namespace. The socket is
 * used from outside the namespace and never blocks; its state is polled.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { NetyardError, parseIp } from '@netyard/core';
import type { Probe, ProbeRequest, ProbeResult, TraceMatch } from '../../packet-trace.ts';
import { closeFile } from '../../system/calls.ts';
import { readQueuedError } from '../../system/error-queue.ts';
import { errnoName } from '../../system/ffi/errno.ts';
import { libc } from '../../system/ffi/libc.ts';
import { openProbeSocket, sourceOf, takeSocketError } from '../../system/probe-socket.ts';
import { encodeSocketAddress } from '../../system/sockets.ts';
import { hostIsLittleEndian, viewOf } from '../attribute.ts';
import { encodeEchoRequest, isEchoReply } from './echo.ts';

const POLLIN = 1;
const POLLOUT = 4;
const POLLERR = 8;
const POLLHUP = 16;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** Intervals of polling in milliseconds: short at first, for answers of this host. */
const firstPause = 1;
const longestPause = 20;
const defaultEchoData = 56;
const maxData = 65_000;

/** See `PacketTracing.openProbe`. */
export function openProbe(request: ProbeRequest): Probe {
  const { protocol, destination, port = 0, dataLength, dontFragment = false, ns, source } = request;
  const family = parseIp(destination).family;
  if (source !== undefined && parseIp(source).family !== family)
    throw new NetyardError('invalid', `source ${source} and destination ${destination} are of different IP versions`);
  if (protocol !== 'icmp' && (!Number.isInteger(port) || port < 1 || port > 65535))
    throw new NetyardError('invalid', `invalid port: ${port}`);
  const length = dataLength ?? (protocol === 'icmp' ? defaultEchoData : 0);
  if (!Number.isInteger(length) || length < 0 || length > maxData)
    throw new NetyardError('invalid', `invalid length of data: ${length}`);
  const address = encodeSocketAddress(destination, protocol === 'icmp' ? 0 : port);
  const { fd, id } = openProbeSocket({
    ...{ family, protocol, dontFragment },
    ...(ns === undefined ? {} : { ns }),
    ...(source === undefined ? {} : { source }),
  });
  return new SocketProbe(fd, { family, protocol, id }, address, length);
}

class SocketProbe implements Probe {
  readonly match: TraceMatch;
  readonly #address: Uint8Array;
  readonly #length: number;
  #fd: number | undefined;
  #isSent = false;

  constructor(fd: number, match: TraceMatch, address: Uint8Array, length: number) {
    this.#fd = fd;
    this.match = match;
    this.#address = address;
    this.#length = length;
  }

  async send(timeoutMs: number, signal?: AbortSignal): Promise<ProbeResult> {
    if (this.#fd === undefined || this.#isSent) throw new NetyardError('invalid', 'a probe can be sent once');
    this.#isSent = true;
    try {
      const failure = this.#transmit(this.#fd);
      const source = sourceOf(this.#fd, this.match.family);
      const result = failure ?? (await this.#waitForResult(performance.now() + timeoutMs, signal));
      return { ...result, ...(source === undefined ? {} : { source }) };
    } finally {
      this.close();
    }
  }

  close(): void {
    if (this.#fd === undefined) return;
    closeFile(this.#fd);
    this.#fd = undefined;
  }

  /** The result when it is known at once. */
  #transmit(fd: number): ProbeResult | undefined {
    if (libc().connect(fd, this.#address, this.#address.length) < 0) {
      const errno = errnoName(libc().errno());
      if (errno !== 'EINPROGRESS') return failed(fd, errno);
    }
    if (this.match.protocol === 'tcp') return undefined;
    const data =
      this.match.protocol === 'icmp'
        ? encodeEchoRequest(this.match.family, this.match.id, this.#length)
        : new Uint8Array(this.#length);
    const sent = libc().sendto(fd, data, data.length, MSG_DONTWAIT | MSG_NOSIGNAL, null, 0);
    return sent < 0 ? failed(fd, errnoName(libc().errno())) : undefined;
  }

  async #waitForResult(deadline: number, signal?: AbortSignal): Promise<ProbeResult> {
    for (let interval = firstPause; ; interval = Math.min(interval * 2, longestPause)) {
      const fd = this.#fd;
      if (fd === undefined) throw new NetyardError('failed', 'the probe was closed');
      const result = this.#poll(fd);
      if (result !== undefined) return result;
      const rest = deadline - performance.now();
      if (rest <= 0 || signal?.aborted) return { outcome: 'timeout' };
      await pause(Math.min(interval, Math.ceil(rest)));
    }
  }

  #poll(fd: number): ProbeResult | undefined {
    const isTcp = this.match.protocol === 'tcp';
    const events = pollOnce(fd, isTcp ? POLLOUT : POLLIN);
    if (events === 0) return undefined;
    if (events & (POLLERR | POLLHUP)) {
      const errno = takeSocketError(fd);
      const queued = readQueuedError(fd);
      if (errno !== 0 || queued !== undefined) return result(queued?.errno ?? errnoName(errno), queued);
    }
    if (isTcp) return events & POLLOUT ? { outcome: 'connected' } : undefined;
    return events & POLLIN && this.#readAnswer(fd) ? { outcome: 'answered' } : undefined;
  }

  #readAnswer(fd: number): boolean {
    const buffer = new Uint8Array(2048);
    for (;;) {
      const length = libc().recv(fd, buffer, buffer.length, MSG_DONTWAIT);
      if (length < 0) return false;
      const { protocol, family, id } = this.match;
      if (protocol !== 'icmp' || isEchoReply(buffer.subarray(0, length), family, id)) return true;
    }
  }
}

const result = (errno: string, queued: Pick<ProbeResult, 'icmp'> | undefined): ProbeResult => ({
  outcome: errno === 'ECONNREFUSED' ? 'refused' : 'error',
  ...{ errno, ...(queued?.icmp === undefined ? {} : { icmp: queued.icmp }) },
});

const failed = (fd: number, errno: string): ProbeResult => result(errno, readQueuedError(fd));

/** struct pollfd. */
function pollOnce(fd: number, events: number): number {
  const entry = new Uint8Array(8);
  const view = viewOf(entry);
  view.setInt32(0, fd, hostIsLittleEndian);
  view.setInt16(4, events, hostIsLittleEndian);
  return libc().poll(entry, 1, 0) > 0 ? view.getUint16(6, hostIsLittleEndian) : 0;
}
