/**
 * SIGIO for descriptors that Node cannot wait for, such as netlink sockets.
 *
 * The kernel sends the signal when one has something to read (fcntl F_SETOWN, O_ASYNC; see fcntl(2)), which costs neither
 * a thread nor a timer. It does not say which one. Signals reach the main thread only.
 */
import { isMainThread } from 'node:worker_threads';
import { NetyardError } from '@netyard/core';
import { checked } from './calls.ts';
import { libc } from './ffi/libc.ts';

const F_SETFL = 4;
const F_SETOWN = 8;
const O_ASYNC = 0o20000;
const O_NONBLOCK = 0o4000;

/**
 * Stays for the process's life once anybody has listened: a signal may still be on its way when the last listener ends,
 * and without a handler it would end the process. It keeps nothing alive.
 */
const passOver = (): void => undefined;

/** Throws `internal` in a Worker, whose listeners would never be called. */
export function checkMainThread(operation: string): void {
  if (!isMainThread) throw new NetyardError('internal', `${operation} works in the main thread only`);
}

/** Calls `read` at each signal, whichever descriptor it is for; returns how to stop that. */
export function onReadable(read: () => void): () => void {
  if (!process.listeners('SIGIO').includes(passOver)) process.on('SIGIO', passOver);
  process.on('SIGIO', read);
  return () => void process.removeListener('SIGIO', read);
}

/** Makes the descriptor non-blocking and the kernel send SIGIO for it. What came before gives no signal. */
export function signalWhenReadable(fd: number): void {
  checked(libc().fcntl(fd, F_SETOWN, process.pid), 'fcntl', 'netlink socket');
  checked(libc().fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK), 'fcntl', 'netlink socket');
}
