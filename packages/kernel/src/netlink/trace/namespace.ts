/** A namespace as traces hold it: by descriptor, so that its path may disappear or name another one meanwhile. */
import { fstatSync } from 'node:fs';
import { closeFile } from '../../system/calls.ts';
import { openNamespace } from '../../system/netns.ts';
import { listLinks } from '../rtnl/link.ts';
import { NETLINK_ROUTE, NetlinkSocket } from '../socket.ts';

export class HeldNamespace {
  readonly #fd: number;
  /** Names by index; read again for an unknown index. */
  #names = new Map<number, string>();

  constructor(ns: string | undefined) {
    this.#fd = openNamespace(ns ?? '/proc/thread-self/ns/net');
  }

  /** A path that names the namespace as long as it is held. */
  get path(): string {
    return `/proc/self/fd/${this.#fd}`;
  }

  /** The number by which the kernel reports the namespace. */
  get inode(): number {
    return fstatSync(this.#fd).ino;
  }

  /** `if7` for a link that is gone. */
  linkName(index: number): string {
    if (!this.#names.has(index)) this.#names = readLinkNames(this.path);
    const name = this.#names.get(index) ?? `if${index}`;
    this.#names.set(index, name);
    return name;
  }

  close(): void {
    closeFile(this.#fd);
  }
}

export function readLinkNames(ns: string | undefined): Map<number, string> {
  const socket = NetlinkSocket.open(NETLINK_ROUTE, { ns });
  try {
    return new Map(listLinks(socket).map(({ index, name }) => [index, name]));
  } finally {
    socket.close();
  }
}
