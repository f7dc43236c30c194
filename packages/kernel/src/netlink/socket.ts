/**
 * A netlink socket for synchronous requests.
 *
 * The kernel handles a request inside sendto(2), so the answer is ready when that returns and nothing here waits. A
 * socket belongs to the namespace in which it was opened, wherever it is used.
 */
import { type Logger, silentLogger, TimeSlice } from '@netyard/core';
import { checked, checkedRetrying, closeFile } from '../system/calls.ts';
import { errnoOf, kernelError } from '../system/ffi/errno.ts';
import { libc } from '../system/ffi/libc.ts';
import { type EnterNetns, openInNetns } from '../system/netns.ts';
import { be32, concatBytes, encodeAttributes, getU32, putU16, putU32 } from './attribute.ts';
import {
  decodeAcknowledgement,
  decodeMessages,
  encodeMessage,
  type NetlinkMessage,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
} from './message.ts';
import { bufferLength, type OwnPorts, ReceiveBuffers } from './socket-state.ts';

export const NETLINK_ROUTE = 0;
export const NETLINK_SOCK_DIAG = 4;
export const NETLINK_NETFILTER = 12;

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const MSG_TRUNC = 0x20;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SIOCGIFINDEX = 0x8933;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;
/** struct timeval, 10 s: the answer is normally ready; a missing answer must not hang the process. */
const receiveTimeout = new Uint8Array(new BigInt64Array([10n, 0n]).buffer);
const maxDumpAttempts = 20;

/** A request, and its names in an error: `ip link add`, `veth0 in /run/netns/r1`. */
export interface NetlinkRequest {
  type: number;
  /** NLM_F_CREATE and so on; NLM_F_REQUEST and the flags for the answer are added. */
  flags?: number;
  payload: Uint8Array;
  operation: string;
  object: string;
}

/** One request of a transaction. */
export type TransactionPart = Pick<NetlinkRequest, 'type' | 'flags' | 'payload'>;

/** linux/netfilter/nfnetlink.h. */
const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;
const NFNL_BATCH_GENID = 1;
const NFNL_SUBSYS_NFTABLES = 10;
/** struct nfgenmsg: family and version 0, the subsystem in network byte order. */
const batchHead = Uint8Array.of(0, 0, 0, NFNL_SUBSYS_NFTABLES);

export const setIntegerOption = (fd: number, level: number, name: number, value: number): void => {
  const bytes = new Uint8Array(4);
  putU32(bytes, 0, value);
  checked(libc().setsockopt(fd, level, name, bytes, bytes.length), 'setsockopt', 'netlink socket');
};

/** Opens a socket and returns its descriptor; `groups` are multicast groups to join. */
export function openNetlink(
  protocol: number,
  netns: string | undefined,
  groups: readonly number[] = [],
  enter: EnterNetns = openInNetns,
): number {
  const fd = enter(netns, () =>
    checked(libc().socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol), 'open', 'netlink socket'),
  );
  try {
    if (groups.length > 0) bindToAnyPort(fd);
    for (const group of groups) setIntegerOption(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group);
    return fd;
  } catch (error) {
    closeFile(fd);
    throw error;
  }
}

/** Only a socket with a port id receives notifications; sending would assign one too. struct sockaddr_nl. */
function bindToAnyPort(fd: number): void {
  const address = new Uint8Array(12);
  putU16(address, 0, AF_NETLINK);
  checked(libc().bind(fd, address, address.length), 'bind', 'netlink socket');
}

export interface NetlinkSocketOptions {
  ns?: string | undefined;
  /** Enters the namespace. */
  enter?: EnterNetns;
  logger?: Logger;
  buffers?: ReceiveBuffers;
  /** Learns the socket's port id. */
  ports?: OwnPorts | undefined;
}

export class NetlinkSocket {
  readonly #fd: number;
  readonly #ns: string | undefined;
  readonly #logger: Logger;
  readonly #buffers: ReceiveBuffers;
  readonly #buffer: Uint8Array;
  /** Until the port id is known. */
  #ports: OwnPorts | undefined;
  #sequence = 0;

  private constructor(fd: number, options: NetlinkSocketOptions) {
    const { ns, logger = silentLogger, buffers = new ReceiveBuffers(), ports } = options;
    this.#fd = fd;
    this.#ns = ns;
    this.#logger = logger;
    this.#buffers = buffers;
    this.#buffer = buffers.take();
    this.#ports = ports;
  }

  static open(protocol: number, options: NetlinkSocketOptions = {}): NetlinkSocket {
    const fd = openNetlink(protocol, options.ns, [], options.enter);
    try {
      for (const name of [NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK])
        setIntegerOption(fd, SOL_NETLINK, name, 1);
      const timeout = libc().setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, receiveTimeout, receiveTimeout.length);
      checked(timeout, 'setsockopt', 'netlink socket');
      return new NetlinkSocket(fd, options);
    } catch (error) {
      closeFile(fd);
      throw error;
    }
  }

  /** Executes a request and returns after the kernel's acknowledgement. Throws KernelError. */
  execute(request: NetlinkRequest): void {
    this.#throwOnError(this.#acknowledgement(request), request);
  }

  /** The same for a creation; returns false when the object exists, which is no error. */
  executeUnlessExists(request: NetlinkRequest): boolean {
    const acknowledgement = this.#acknowledgement(request);
    if (decodeAcknowledgement(acknowledgement).errno === errnoOf('EEXIST')) return false;
    this.#throwOnError(acknowledgement, request);
    return true;
  }

  /**
   * Executes requests in turn with one system call, also those after one that failed. Throws the KernelError of the first
   * that failed.
   */
  executeAll(requests: readonly NetlinkRequest[]): void {
    const [head] = requests;
    if (!head) return;
    const first = this.#sequence + 1;
    const last = this.#sequence + requests.length;
    const messages = requests.map((request, index) =>
      this.#encode(request, index === requests.length - 1 ? NLM_F_ACK : 0),
    );
    this.#sendBytes(concatBytes(messages), head);
    const failures: unknown[] = [];
    for (;;) {
      for (const message of this.#receive(head)) {
        const request = requests[message.sequence - first];
        if (!request || message.type !== NLMSG_ERROR) continue;
        try {
          this.#throwOnError(message, request);
        } catch (error) {
          failures.push(error);
        }
        if (message.sequence !== last) continue;
        if (failures.length > 0) throw failures[0];
        return;
      }
    }
  }

  /**
   * The same for slow requests, such as the 20 ms of a link's deletion: a thread of the pool waits. Needs a socket of
   * its own: until the promise settles, nothing else may use it.
   */
  async executeAsync(request: NetlinkRequest): Promise<void> {
    const sequence = await this.#sendAsync(request, NLM_F_ACK);
    for (const message of this.#receive(request)) {
      if (message.sequence === sequence && message.type === NLMSG_ERROR) this.#throwOnError(message, request);
    }
  }

  /**
   * Executes requests of nfnetlink as one transaction; packets see all of it or nothing. Throws the KernelError of the
   * first request that the kernel rejects; ERESTART when the ruleset has another generation.
   */
  executeTransaction(
    parts: readonly TransactionPart[],
    { generation, ...purpose }: { operation: string; object: string; generation: number },
  ): void {
    const first = this.#sequence + 1;
    const encode = (part: TransactionPart, flags: number): Uint8Array => this.#encode({ ...part, ...purpose }, flags);
    const head = concatBytes([batchHead, encodeAttributes([be32(NFNL_BATCH_GENID, generation)])]);
    const begin = encode({ type: NFNL_MSG_BATCH_BEGIN, payload: head }, 0);
    const requests = parts.map((part, index) => encode(part, index === parts.length - 1 ? NLM_F_ACK : 0));
    const last = this.#sequence;
    const end = encode({ type: NFNL_MSG_BATCH_END, payload: batchHead }, 0);
    const request = { ...purpose, type: NFNL_MSG_BATCH_BEGIN, payload: batchHead };
    this.#sendBytes(concatBytes([begin, ...requests, end]), request);
    for (;;) {
      for (const message of this.#receive(request)) {
        if (message.sequence < first || message.sequence > last || message.type !== NLMSG_ERROR) continue;
        this.#throwOnError(message, request);
        if (message.sequence === last) return;
      }
    }
  }

  /** Queries one object. Throws KernelError, such as ENODEV. */
  query(request: NetlinkRequest): NetlinkMessage {
    const sequence = this.#send(request, 0);
    for (;;) {
      for (const message of this.#receive(request)) {
        if (message.sequence !== sequence) continue;
        if (message.type !== NLMSG_ERROR) return { ...message, payload: message.payload.slice() };
        this.#throwOnError(message, request);
      }
    }
  }

  /** Dumps all objects; repeats the dump when a change interrupted it, so that the list is consistent. */
  dump(request: NetlinkRequest): NetlinkMessage[] {
    for (let attempt = 1; ; attempt += 1) {
      const { messages, interrupted } = this.#dumpOnce(request);
      if (!interrupted) return messages;
      this.#logger.debug('netlink dump was interrupted by a change', { operation: request.operation, attempt });
      if (attempt === maxDumpAttempts)
        throw kernelError(errnoOf('EAGAIN'), request.operation, request.object, `changed during ${attempt} dumps`);
    }
  }

  /**
   * The same for dumps that may be very long: yields the messages of one datagram at a time (their payloads are valid
   * until the next iteration) and yields to the event loop in between. So the dump is not consistent, and nothing else
   * may use the socket until its end. When the kernel's filter selects few of many objects, the kernel scans them all
   * before it answers, so a thread of the pool sends the request.
   */
  async *dumpInTimeSlices(request: NetlinkRequest): AsyncGenerator<NetlinkMessage[]> {
    const sequence = await this.#sendAsync(request, NLM_F_DUMP);
    const slice = new TimeSlice();
    for (;;) {
      const messages = this.#receive(request).filter((message) => message.sequence === sequence);
      const end = messages.find(({ type }) => type === NLMSG_ERROR || type === NLMSG_DONE);
      if (end) this.#throwOnError(end, request);
      yield messages.filter((message) => message !== end);
      if (end) return;
      if (slice.isOver) await slice.next();
    }
  }

  /**
   * Index of a link by if_nametoindex(3)'s ioctl, which needs no lock: an rtnetlink query waits for the RTNL lock, held
   * by every change of a link in any namespace. Undefined when the link does not exist. The name must not exceed 15
   * bytes.
   */
  findLinkIndex(name: string): number | undefined {
    const request = new Uint8Array(40); // struct ifreq: 16 bytes of name, then the index
    request.set(Buffer.from(name, 'utf8'));
    if (libc().ioctl(this.#fd, SIOCGIFINDEX, request) === 0) return getU32(request, 16);
    const errno = libc().errno();
    if (errno === errnoOf('ENODEV')) return undefined;
    throw kernelError(errno, 'ip link show', this.qualify(name));
  }

  /** `veth0 in /run/netns/r1`: the name of an object of this namespace in errors. */
  qualify(object: string): string {
    return this.#ns === undefined ? object : `${object} in ${this.#ns}`;
  }

  /** Nothing may use the socket, or a payload that it yielded, from now on. */
  close(): void {
    closeFile(this.#fd);
    this.#buffers.give(this.#buffer);
  }

  #dumpOnce(request: NetlinkRequest): { messages: NetlinkMessage[]; interrupted: boolean } {
    const sequence = this.#send(request, NLM_F_DUMP);
    const messages: NetlinkMessage[] = [];
    let interrupted = false;
    for (;;) {
      for (const message of this.#receive(request)) {
        if (message.sequence !== sequence) continue;
        interrupted ||= (message.flags & NLM_F_DUMP_INTR) !== 0;
        if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) {
          this.#throwOnError(message, request);
          return { messages, interrupted };
        }
        messages.push({ ...message, payload: message.payload.slice() });
      }
    }
  }

  #acknowledgement(request: NetlinkRequest): NetlinkMessage {
    const sequence = this.#send(request, NLM_F_ACK);
    for (;;) {
      const found = this.#receive(request).find(
        (message) => message.sequence === sequence && message.type === NLMSG_ERROR,
      );
      if (found) return found;
    }
  }

  /** NLMSG_ERROR and NLMSG_DONE both begin with a negative errno. */
  #throwOnError(message: NetlinkMessage, { operation, object }: NetlinkRequest): void {
    const { errno, text } = decodeAcknowledgement(message);
    if (errno !== 0) throw kernelError(errno, operation, this.qualify(object), text);
  }

  #encode(request: NetlinkRequest, flags: number): Uint8Array {
    this.#sequence += 1;
    return encodeMessage({
      type: request.type,
      flags: NLM_F_REQUEST | (request.flags ?? 0) | flags,
      sequence: this.#sequence,
      payload: request.payload,
    });
  }

  #send(request: NetlinkRequest, flags: number): number {
    this.#sendBytes(this.#encode(request, flags), request);
    return this.#sequence;
  }

  #sendBytes(data: Uint8Array, { operation, object }: NetlinkRequest): void {
    checkedRetrying(() => libc().sendto(this.#fd, data, data.length, 0, null, 0), operation, object);
  }

  /** Sends from a thread of the pool, because sendto(2) returns only after the kernel has processed the request. */
  async #sendAsync(request: NetlinkRequest, flags: number): Promise<number> {
    const data = this.#encode(request, flags);
    const sequence = this.#sequence;
    const sent = await new Promise<number>((resolve, reject) => {
      libc().sendtoAsync(this.#fd, data, data.length, 0, null, 0, (error, result) =>
        error ? reject(error) : resolve(result),
      );
    });
    // errno belongs to the other thread; the kernel reports failures of the request as a message anyway.
    if (sent < 0) throw kernelError(errnoOf('EIO'), request.operation, request.object, 'sendto failed');
    return sequence;
  }

  #receive(request: NetlinkRequest): NetlinkMessage[] {
    const { operation, object } = request;
    const receive = (): number => libc().recv(this.#fd, this.#buffer, bufferLength, MSG_TRUNC);
    const length = checkedRetrying(receive, operation, object);
    if (length > bufferLength)
      throw kernelError(errnoOf('EMSGSIZE'), operation, object, `the answer has ${length} bytes`);
    const messages = decodeMessages(this.#buffer.subarray(0, length));
    const portId = messages[0]?.portId;
    if (this.#ports && portId !== undefined) {
      this.#ports.add(portId);
      this.#ports = undefined;
    }
    return messages;
  }
}
