/**
 * SIGIO for descriptors that Node cannot poll, such as netlink sockets.
 *
 * The kernel sends the signal when a descriptor becomes readable (fcntl F_SETOWN, O_ASYNC; see fcntl(2)), which costs
 * neither a thread nor a timer. The signal does not identify the descriptor. Signals reach the main thread only.
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
 * Stays installed for the life of the process: a signal may still be pending when the last listener is removed, and
 * without a handler it would kill the process. It does not keep the event loop alive.
 */
const ignoreSignal = (): void => undefined;

/** Throws `internal` in a Worker, where signal listeners are never called. */
export function checkMainThread(operation: string): void {
  if (!isMainThread) throw new NetyardError('internal', `${operation} works in the main thread only`);
}

/** Calls `read` on each signal, whichever descriptor caused it; returns a function that removes the listener. */
export function onReadable(read: () => void): () => void {
  if (!process.listeners('SIGIO').includes(ignoreSignal)) process.on('SIGIO', ignoreSignal);
  process.on('SIGIO', read);
  return () => void process.removeListener('SIGIO', read);
}

/** Makes the descriptor non-blocking and requests SIGIO for it. Data that is already pending causes no signal. */
export function signalWhenReadable(fd: number): void {
  checked(libc().fcntl(fd, F_SETOWN, process.pid), 'fcntl', 'netlink socket');
  checked(libc().fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK), 'fcntl', 'netlink socket');
}
