/**
 * Deletes links of the process's own namespace in batches.
 *
 * The kernel takes some 20 ms for each deletion request, however many links it names, because it waits for an RCU grace
 * period. So pending links are moved into a link group of our own and the group is deleted: twenty containers that end
 * together cost hardly more than one. At most one thread of the pool waits.
 */
import { hasErrno } from '../system/ffi/errno.ts';
import { changeLink, deleteLinkAsync } from './rtnl/link.ts';
import { NETLINK_ROUTE, NetlinkSocket, type NetlinkSocketOptions } from './socket.ts';

/** `nety` in ASCII. A link that a crash left in this group leaves it when it is desired again: see objects/link.ts. */
export const removalGroup = 0x6e657479;

interface PendingLink {
  name: string;
  resolve(removed: boolean): void;
  reject(error: unknown): void;
}

export class LinkRemover {
  readonly #options: NetlinkSocketOptions;
  #pending: PendingLink[] = [];
  #busy = false;

  constructor(options: NetlinkSocketOptions) {
    this.#options = options;
  }

  /** Resolves when the link is deleted; false when it did not exist. Throws KernelError. */
  async remove(name: string): Promise<boolean> {
    return await new Promise<boolean>((resolve, reject) => {
      this.#pending.push({ name, resolve, reject });
      if (!this.#busy) void this.#work();
    });
  }

  async #work(): Promise<void> {
    this.#busy = true;
    while (this.#pending.length > 0) {
      const batch = this.#pending;
      this.#pending = [];
      await this.#removeBatch(batch);
    }
    this.#busy = false;
  }

  async #removeBatch(batch: readonly PendingLink[]): Promise<void> {
    let marked: readonly PendingLink[] = [];
    try {
      const socket = NetlinkSocket.open(NETLINK_ROUTE, this.#options);
      try {
        marked = batch.filter((link) => mark(socket, link));
        if (marked.length > 0) await deleteLinkAsync(socket, { group: removalGroup });
      } finally {
        socket.close();
      }
      for (const link of marked) link.resolve(true);
    } catch (error) {
      // ENODEV: another Netyard process deleted the group first.
      for (const link of marked.length > 0 ? marked : batch) {
        if (hasErrno(error, 'ENODEV')) link.resolve(true);
        else link.reject(error);
      }
    }
  }
}

/** Moves a link into the group; settles its promise here when that fails. */
function mark(socket: NetlinkSocket, link: PendingLink): boolean {
  try {
    changeLink(socket, link.name, { group: removalGroup });
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENODEV')) link.resolve(false);
    else link.reject(error);
    return false;
  }
}
