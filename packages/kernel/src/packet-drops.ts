/** Counts of the packets that this kernel drops, by reason: types only. */

/** Packets of one reason that were dropped in one place. */
export interface DropCount {
  /** Inode of the network namespace, as `statSync(path).ino` returns it. */
  namespace: number;
  /** Of the packet's interface at that moment; 0 where it had none, such as before routing. */
  linkIndex: number;
  /** As in the kernel's `enum skb_drop_reason`, without its prefix: NETFILTER_DROP; a number for one without a name. */
  reason: string;
  packets: number;
}

/** Counts until it is closed, or the process ends. */
export interface DropCounter {
  /** What was dropped since the last call. */
  take(): DropCount[];
  close(): void;
}
