/** Counts the packets that this kernel drops, per namespace, interface and reason, with a BPF program at kfree_skb. */
import type { DropCount, DropCounter } from '../../packet-drops.ts';
import { attachToTracepoint, BpfCounters } from '../../system/bpf.ts';
import { KernelTypes } from '../../system/kernel-types.ts';
import { hostIsLittleEndian, viewOf } from '../attribute.ts';
import { type DropFields, encodeDropCounter, key, keyBytes } from './drop-program.ts';

/** Different places and reasons between two reads; what is beyond is not counted. */
const capacity = 2048;
const prefix = 'SKB_DROP_REASON_';
/**
 * Reasons that belong to ordinary operation: packets that a closed or filtering socket did not read, copies that a capture lost,
 * frames for others or of protocols that this host does not speak, and segments of TCP that arrive twice or late.
 */
const ordinary = new Set([
  ...['QUEUE_PURGE', 'SOCKET_CLOSE', 'SOCKET_FILTER', 'PACKET_SOCK_ERROR', 'TAP_FILTER', 'TAP_TXFILTER'],
  ...['UNIX_DISCONNECT', 'UNIX_SKIP_OOB', 'OTHERHOST', 'UNHANDLED_PROTO', 'IPV6DISABLED'],
  ...['TCP_OLD_DATA', 'TCP_OFOMERGE', 'TCP_OLD_ACK', 'TCP_OLD_SEQUENCE', 'TCP_RESET', 'TCP_CLOSE', 'TCP_ABORT_ON_DATA'],
]);

/**
 * Reading the kernel's types takes some 20 ms. Throws `unavailable` on a kernel without BTF or without a reason at
 * kfree_skb (before 5.17), and KernelError EPERM where bpf(2) is forbidden.
 */
export function openDropCounter(): DropCounter {
  const types = KernelTypes.read();
  const reasons = new Map(
    [...types.enumNames('skb_drop_reason')].map(([number, name]) => [number, name.replace(prefix, '')]),
  );
  const counters = new BpfCounters(keyBytes, capacity);
  try {
    const program = encodeDropCounter({
      fields: findFields(types),
      hasReceiver: types.tracepointArguments('kfree_skb') > 3,
      ignored: [...reasons].flatMap(([number, name]) => (ordinary.has(name) ? [number] : [])),
      noSocket: [...reasons].find(([, name]) => name === 'NO_SOCKET')?.[0] ?? -1,
      map: counters.fd,
    });
    const detach = attachToTracepoint(types.tracepoint('kfree_skb'), program);
    return new BpfDropCounter(counters, reasons, detach);
  } catch (error) {
    counters.close();
    throw error;
  }
}

function findFields(types: KernelTypes): DropFields {
  const at = (struct: string, name: string): number => types.field(struct, name).offset;
  const common = at('sock', '__sk_common');
  return {
    ...{ device: at('sk_buff', 'dev'), socket: at('sk_buff', 'sk') },
    ...{ head: at('sk_buff', 'head'), networkHeader: at('sk_buff', 'network_header') },
    ...{ linkIndex: at('net_device', 'ifindex'), deviceNamespace: at('net_device', 'nd_net') },
    socketFamily: common + at('sock_common', 'skc_family'),
    socketNamespace: common + at('sock_common', 'skc_net'),
    namespaceInode: at('net', 'ns') + at('ns_common', 'inum'),
  };
}

class BpfDropCounter implements DropCounter {
  readonly #counters: BpfCounters;
  readonly #reasons: ReadonlyMap<number, string>;
  #detach: (() => void) | undefined;

  constructor(counters: BpfCounters, reasons: ReadonlyMap<number, string>, detach: () => void) {
    this.#counters = counters;
    this.#reasons = reasons;
    this.#detach = detach;
  }

  take(): DropCount[] {
    if (this.#detach === undefined) return [];
    return this.#counters.take().map(({ key: bytes, count }) => {
      const view = viewOf(bytes);
      const number = (place: number): number => view.getUint32(place, hostIsLittleEndian);
      const reason = number(key.reason);
      return {
        ...{ namespace: number(key.namespace), linkIndex: number(key.linkIndex), packets: count },
        reason: this.#reasons.get(reason) ?? `${reason}`,
      };
    });
  }

  close(): void {
    if (this.#detach === undefined) return;
    this.#detach();
    this.#detach = undefined;
    this.#counters.close();
  }
}
