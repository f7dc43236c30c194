/**
 * Keeps a few file descriptors below FD_SETSIZE free for sockets that another library waits for with select(2): glibc ends
 * the process when such a descriptor is 1024 or more. A daemon has three for each container.
 */
import { NetyardError } from '@netyard/core';
import { closeFile, openFile } from './calls.ts';

/** FD_SETSIZE of sys/select.h. */
const selectLimit = 1024;
/** Sockets that may be open at the same time once all lower descriptors are in use. */
const reservedCount = 16;
const attempts = 8;

export class LowDescriptors {
  readonly #reserved: number[] = [];
  #isReserving = false;

  /** Reserves descriptors until the end of the process, as far as lower ones are free. */
  reserve(): void {
    this.#isReserving = true;
    this.refill();
  }

  /** Reserves again what `open` used; call after a descriptor was closed. Without `reserve`, none. */
  refill(): void {
    while (this.#isReserving && this.#reserved.length < reservedCount) {
      const fd = openFile('/dev/null');
      if (fd < selectLimit) this.#reserved.push(fd);
      else {
        closeFile(fd);
        return;
      }
    }
  }

  /**
   * Calls `open` while the lowest free descriptor is below the limit: the kernel chooses that one.
   * @param open opens one descriptor
   * @param isOpened whether it got the given one: another thread may have taken that
   * @param close of what `open` returned
   * @returns what `open` returned, and its descriptor
   * Throws `failed` when no such descriptor is free.
   */
  open<T>(open: () => T, isOpened: (fd: number) => boolean, close: (opened: T) => void): { opened: T; fd: number } {
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const fd = this.#free();
      if (fd === undefined) break;
      const opened = open();
      if (isOpened(fd)) return { opened, fd };
      close(opened);
    }
    throw new NetyardError('failed', `no file descriptor below ${selectLimit} is free, which libnftables needs`, {
      hint: 'restart the daemon',
    });
  }

  /** Makes a low descriptor the lowest free one. */
  #free(): number | undefined {
    const lowest = openFile('/dev/null');
    closeFile(lowest);
    if (lowest < selectLimit) return lowest;
    const fd = this.#reserved.pop();
    if (fd !== undefined) closeFile(fd);
    return fd;
  }
}
