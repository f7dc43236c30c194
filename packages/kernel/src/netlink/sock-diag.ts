/** Lists listening sockets of one namespace. See sock_diag(7), linux/inet_diag.h. Encoders and decoders are pure. */
import { formatIp, ipFromBytes } from '@netyard/core';
import type { ObservedListener } from '../observed-namespace.ts';
import { Attributes, hostIsLittleEndian, viewOf } from './attribute.ts';
import { AF_INET, AF_INET6 } from './rtnl/address.ts';
import type { NetlinkSocket } from './socket.ts';

const SOCK_DIAG_BY_FAMILY = 20;
const protocols = { tcp: 6, udp: 17 } as const;
const INET_DIAG_SKV6ONLY = 11;
/** linux/net/tcp_states.h; a UDP socket without a connection is in TCP_CLOSE. */
const listeningState = { tcp: 10, udp: 7 } as const;
/** sizeof(struct inet_diag_req_v2), struct inet_diag_msg. */
const requestLength = 56;
const answerLength = 72;

export type DiagnosedSocket = Omit<ObservedListener, 'link'> & { linkIndex?: number };

/** struct inet_diag_req_v2: selects by family, protocol and state. */
export function encodeListenerQuery(family: 4 | 6, protocol: 'tcp' | 'udp'): Uint8Array {
  const request = new Uint8Array(requestLength);
  request.set([family === 4 ? AF_INET : AF_INET6, protocols[protocol]]);
  viewOf(request).setUint32(4, 1 << listeningState[protocol], hostIsLittleEndian);
  return request;
}

/** Decodes struct inet_diag_msg and its attributes; undefined for families other than IP, and sockets without a port. */
export function decodeListener(protocol: 'tcp' | 'udp', payload: Uint8Array): DiagnosedSocket | undefined {
  if (payload.length < answerLength) return undefined;
  const view = viewOf(payload);
  const family = payload[0];
  const port = view.getUint16(4); // network byte order
  if ((family !== AF_INET && family !== AF_INET6) || port === 0) return undefined;
  const linkIndex = view.getUint32(40, hostIsLittleEndian);
  const attributes = new Attributes(payload.subarray(answerLength));
  const queue = (offset: number): number => (protocol === 'tcp' ? view.getUint32(offset, hostIsLittleEndian) : 0);
  return {
    ...{ protocol, address: decodeSource(family === AF_INET, payload.subarray(8, 24)), port },
    v6only: attributes.u8(INET_DIAG_SKV6ONLY) === 1,
    ...{ waiting: queue(56), backlog: queue(60), inode: view.getUint32(68, hostIsLittleEndian) },
    ...(linkIndex === 0 ? {} : { linkIndex }),
  };
}

/** ::ffff:0:0/96 (RFC 4291): an IPv6 socket bound to an IPv4 address. */
const mappedPrefix = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff);

function decodeSource(isIpv4: boolean, bytes: Uint8Array): string {
  if (isIpv4) return formatIp(ipFromBytes(bytes.subarray(0, 4)));
  const isMapped = mappedPrefix.every((byte, index) => bytes[index] === byte);
  return formatIp(ipFromBytes(isMapped ? bytes.subarray(12) : bytes));
}

/** Equivalent to: `ss -Hlntu`. Throws KernelError ENOENT when the kernel lacks the modules tcp_diag and udp_diag. */
export function listListeners(socket: NetlinkSocket): DiagnosedSocket[] {
  return (['tcp', 'udp'] as const).flatMap((protocol) =>
    ([4, 6] as const).flatMap((family) => {
      const payload = encodeListenerQuery(family, protocol);
      const request = { type: SOCK_DIAG_BY_FAMILY, payload, operation: 'ss -ln', object: `${protocol} IPv${family}` };
      return socket
        .dump(request)
        .filter(({ type }) => type === SOCK_DIAG_BY_FAMILY)
        .flatMap((message) => decodeListener(protocol, message.payload) ?? []);
    }),
  );
}
