/**
 * Starts the relay thread on first use, and passes it the sockets of relayed ports. For the main thread.
 *
 * The thread has its own descriptor of each socket. The port must be free as soon as `close` returns, without waiting for
 * the thread: its descriptor is replaced (dup3) by one of an eventfd, and its number stays in use until the thread closes
 * it.
 */
import { writeSync } from 'node:fs';
import { extname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { Worker } from 'node:worker_threads';
import { NetyardError } from '@netyard/core';
import type { RelayTarget } from '../../contract.ts';
import { checked, closeFile, O_CLOEXEC } from '../calls.ts';
import { libc } from '../ffi/libc.ts';
import type { RelayCommand, RelayThreadData } from './contract.ts';
import { requestDestination } from './datagram.ts';
import { setInteger } from './options.ts';

const F_DUPFD_CLOEXEC = 1030;
const EFD_NONBLOCK = 0o4000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const backlog = 511;
const restartAfterMs = 1000;

/** A bound socket of this process. */
export interface RelaySocket {
  fd: number;
  protocol: 'tcp' | 'udp';
}

interface Relay extends RelaySocket {
  id: number;
  target: RelayTarget;
  /** The thread's descriptor. */
  threadFd: number;
}

interface RelayThread {
  worker: Worker;
  wakeUp: number;
}

export class Relays {
  readonly #relays = new Map<number, Relay>();
  readonly #onFailure: (error: Error) => void;
  /** Takes the place of descriptors that the thread has not closed yet. */
  #placeholder: number | undefined;
  #thread: RelayThread | undefined;
  #restart: NodeJS.Timeout | undefined;
  #ids = 0;

  constructor(onFailure: (error: Error) => void) {
    this.#onFailure = onFailure;
  }

  /** Relays from now on; the caller calls `close` with the returned id before it closes the socket. */
  open(socket: RelaySocket, target: RelayTarget): number {
    this.#place(); // closing needs it, and must not fail where no descriptor is left
    startListening(socket);
    this.#ids += 1;
    const relay: Relay = { ...socket, id: this.#ids, target, threadFd: duplicate(socket.fd) };
    this.#relays.set(relay.id, relay);
    try {
      this.#sendOpen(relay);
    } catch (error) {
      this.close(relay.id);
      throw error;
    }
    return relay.id;
  }

  /** For further connections. Open ones of TCP stay. */
  setTarget(id: number, target: RelayTarget): void {
    const relay = this.#relays.get(id);
    if (!relay || isDeepStrictEqual(relay.target, target)) return;
    relay.target = target;
    this.#sendOpen(relay);
  }

  /** Ends its connections. */
  close(id: number): void {
    const relay = this.#relays.get(id);
    if (!relay) return;
    this.#relays.delete(id);
    if (this.#thread) {
      checked(libc().dup3(this.#place(), relay.threadFd, O_CLOEXEC), 'dup3', `fd ${relay.threadFd}`);
      this.#send({ action: 'close', id });
    } else if (relay.threadFd >= 0) {
      closeFile(relay.threadFd);
    }
  }

  closeAll(): void {
    clearTimeout(this.#restart);
    this.#restart = undefined;
    for (const id of this.#relays.keys()) this.close(id);
    this.#send({ action: 'end' });
    this.#thread = undefined;
    if (this.#placeholder !== undefined) closeFile(this.#placeholder);
    this.#placeholder = undefined;
  }

  #place(): number {
    this.#placeholder ??= checked(libc().eventfd(0, O_CLOEXEC), 'eventfd', 'relayed ports');
    return this.#placeholder;
  }

  #sendOpen({ id, threadFd: fd, protocol, target }: Relay): void {
    if (this.#restart) return; // sent when the thread starts again
    this.#thread ??= this.#start();
    this.#send({ action: 'open', id, fd, protocol, target });
  }

  #send(command: RelayCommand): void {
    if (!this.#thread) return;
    this.#thread.worker.postMessage(command);
    writeSync(this.#thread.wakeUp, new Uint8Array(new BigUint64Array([1n]).buffer));
  }

  #start(): RelayThread {
    const wakeUp = checked(libc().eventfd(0, O_CLOEXEC | EFD_NONBLOCK), 'eventfd', 'relay thread');
    let worker: Worker;
    try {
      worker = startWorker({ wakeUp: duplicate(wakeUp) });
    } catch (error) {
      closeFile(wakeUp);
      throw error;
    }
    worker.unref();
    let failure = new Error('the relay thread ended');
    worker.on('error', (error: Error) => {
      failure = error;
    });
    worker.on('exit', () => {
      closeFile(wakeUp);
      if (this.#thread?.worker === worker) this.#fail(failure);
    });
    return { worker, wakeUp };
  }

  /** A defect of the thread must not end relaying: it starts again, without the connections. */
  #fail(error: Error): void {
    this.#thread = undefined;
    for (const relay of this.#relays.values()) {
      closeFile(relay.threadFd);
      relay.threadFd = -1;
    }
    this.#onFailure(new NetyardError('internal', `relaying of ports failed: ${error.message}`, { cause: error }));
    this.#restart = setTimeout(() => this.#startAgain(), restartAfterMs).unref();
  }

  /** Without a descriptor left it tries again: an error would end the daemon. */
  #startAgain(): void {
    try {
      for (const relay of this.#relays.values()) if (relay.threadFd < 0) relay.threadFd = duplicate(relay.fd);
      this.#thread ??= this.#start();
    } catch (error) {
      this.#onFailure(error instanceof Error ? error : new Error(String(error)));
      this.#restart = setTimeout(() => this.#startAgain(), restartAfterMs).unref();
      return;
    }
    this.#restart = undefined;
    for (const relay of this.#relays.values()) this.#sendOpen(relay);
  }
}

function startWorker(workerData: RelayThreadData): Worker {
  // Packed outside of this repository, both files are JavaScript.
  const entry = new URL(`./relay-thread${extname(import.meta.url)}`, import.meta.url);
  return new Worker(entry, { trackUnmanagedFds: false, workerData });
}

/** Before the thread knows the socket: clients that arrive meanwhile wait. */
function startListening({ fd, protocol }: RelaySocket): void {
  if (protocol === 'udp') {
    requestDestination(fd);
    return;
  }
  // Accepted sockets inherit it. Their remains must not keep the next daemon from binding the port.
  setInteger(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  checked(libc().listen(fd, backlog), 'listen', `fd ${fd}`);
}

const duplicate = (fd: number): number => checked(libc().fcntl(fd, F_DUPFD_CLOEXEC, 3), 'fcntl', `fd ${fd}`);
