/**
 * Removes links of the process's own namespace, those that wait meanwhile all at once.
 *
 * The kernel takes some 20 ms for each order to delete links, however many it names, for it has to wait until nobody
 * looks at them any more. So links are marked with a group of our own and the group is deleted: twenty containers that
 * end together cost hardly more than one. One thread of the pool waits, never more.
 */
import type { Logger } from '@netyard/core';
import { hasErrno } from '../system/ffi/errno.ts';
import { changeLink, deleteLinkSlowly } from './rtnl/link.ts';
import { NETLINK_ROUTE, NetlinkSocket } from './socket.ts';

/** `nety` in ASCII. A link that a crash left in it is taken out when it is wanted again: see objects/link.ts. */
export const removalGroup = 0x6e657479;

interface Waiting {
  name: string;
  resolve(removed: boolean): void;
  reject(error: unknown): void;
}

export class LinkRemover {
  readonly #logger: Logger;
  #waiting: Waiting[] = [];
  #busy = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Settles when the link is gone; false when there was none. Throws KernelError. */
  async remove(name: string): Promise<boolean> {
    return await new Promise<boolean>((resolve, reject) => {
      this.#waiting.push({ name, resolve, reject });
      if (!this.#busy) void this.#work();
    });
  }

  async #work(): Promise<void> {
    this.#busy = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      await this.#removeBatch(batch);
    }
    this.#busy = false;
  }

  async #removeBatch(batch: readonly Waiting[]): Promise<void> {
    let marked: readonly Waiting[] = [];
    try {
      const socket = NetlinkSocket.open(NETLINK_ROUTE, { logger: this.#logger });
      try {
        marked = batch.filter((link) => mark(socket, link));
        if (marked.length > 0) await deleteLinkSlowly(socket, { group: removalGroup });
      } finally {
        socket.close();
      }
      for (const link of marked) link.resolve(true);
    } catch (error) {
      // ENODEV: whoever else deletes this group (another process of ours) was faster.
      for (const link of marked.length > 0 ? marked : batch) {
        if (hasErrno(error, 'ENODEV')) link.resolve(true);
        else link.reject(error);
      }
    }
  }
}

/** Puts a link into the group; one that cannot be is settled here. */
function mark(socket: NetlinkSocket, link: Waiting): boolean {
  try {
    changeLink(socket, link.name, { group: removalGroup });
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENODEV')) link.resolve(false);
    else link.reject(error);
    return false;
  }
}
