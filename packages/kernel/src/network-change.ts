/** Types of `Kernel.watchChanges`: changes of the network, and who made them. */
import type { NftFamily, NftObjectKind } from './desired.ts';
import type { RouteType } from './packet-trace.ts';

/**
 * `self`: this process; `kernel`: a consequence of another change, or made by a way that names no process (ioctl, sysctl, router advertisements). Otherwise another process, of which the kernel names what it knows: nothing of one that uses
 * several netlink sockets.
 */
export type ChangeAuthor = 'self' | 'kernel' | { pid?: number; program?: string; command?: string };

export type NetworkChange =
  /** The kernel does not name who changes links. */
  | {
      type: 'link';
      action: 'new' | 'del';
      name: string;
      index: number;
      /** State of the link after the change. */
      up: boolean;
      mtu: number;
      masterIndex?: number;
    }
  | { type: 'address'; action: 'new' | 'del'; author: ChangeAuthor; prefix: string; linkIndex: number }
  | {
      type: 'route';
      action: 'new' | 'del';
      author: ChangeAuthor;
      family: 4 | 6;
      /** `default`, or a prefix. */
      to: string;
      via?: string;
      linkIndex?: number;
      table: number;
      /** rtnetlink(7), RTPROT_. */
      protocol: number;
      kind: RouteType;
    }
  /** A policy routing rule; which one is not decoded. */
  | { type: 'rule'; action: 'new' | 'del'; author: ChangeAuthor; family: 4 | 6 }
  /** A part of a transaction, which `nft-commit` ends. */
  | {
      type: 'nft';
      action: 'new' | 'del';
      what: NftObjectKind;
      family?: NftFamily;
      table: string;
    }
  /** The pid is that of the initial pid namespace. */
  | { type: 'nft-commit'; author: ChangeAuthor }
  /** IPv4 forwarding: of the host (net.ipv4.ip_forward), or of a link. */
  | { type: 'forwarding'; linkIndex?: number; on: boolean }
  /** Changes were lost (socket buffer overrun). */
  | { type: 'resync' };
