/** Connects a process's input and output with a hijacked connection: attach and exec. */
import { Socket } from 'node:net';
import { finished } from 'node:stream';
import type { Attachment, OutputChunk } from '@netyard/engine';
import type { Connection } from '../http/connection.ts';
import { pump } from '../http/pump.ts';
import { encodeFrame } from './stdcopy.ts';

/** How long a client may keep its side open after we have closed ours. */
const LINGER_MS = 2_000;
/** Bytes; the memory of smaller reads is not worth freeing at once. */
const LARGE_READ = 16 * 1024;

export const rawStream = 'application/vnd.docker.raw-stream';
export const multiplexedStream = 'application/vnd.docker.multiplexed-stream';

export type EncodeChunk = (chunk: OutputChunk) => Uint8Array | string;

/** Unframed: for a terminal, which has one stream, and over a WebSocket. */
export const bytesOf: EncodeChunk = ({ data }) => data;

/** Runs until the process's output ends, the client disconnects or the detach keys are typed. */
export async function serveAttachment(
  connection: Connection,
  attachment: Attachment,
  signal: AbortSignal,
  encode: EncodeChunk = attachment.tty ? bytesOf : encodeFrame,
): Promise<void> {
  const stopInput = feedStdin(connection, attachment);
  try {
    await pump(attachment.output, connection.output, encode, signal);
  } finally {
    stopInput();
    closeGracefully(connection);
  }
}

/** The end of the client's input closes the process's stdin. Returns a function after which input is discarded. */
function feedStdin({ input }: Connection, { stdin }: Attachment): () => void {
  if (!stdin) {
    input.resume();
    return () => undefined;
  }
  // Chunks of a socket belong to its reader alone.
  const isRead = input instanceof Socket;
  const onData = (chunk: Buffer): void => {
    if (!stdin.write(chunk, () => isRead && freeMemory(chunk))) input.pause();
  };
  const resume = (): void => void input.resume();
  const stop = (): void => {
    input.off('data', onData).resume();
    stdin.off('drain', resume);
  };
  // The process closed its stdin or has exited: further input is discarded, output continues.
  stdin.on('drain', resume).on('error', stop);
  const end = (): void => void stdin.end();
  // An error means that the client disconnected, which the signal reports; it only needs a listener here.
  input.on('data', onData).once('end', end).on('error', end).once('close', end);
  return stop;
}

/**
 * Frees what a connection has read, once it has been written. The garbage collector notices little of memory outside of
 * its heap: with 100 MB of input it ran several times over the whole heap, and each read got new memory from the kernel.
 */
function freeMemory({ buffer, byteLength }: Buffer): void {
  const isWhole = buffer instanceof ArrayBuffer && buffer.byteLength === byteLength;
  if (isWhole && byteLength >= LARGE_READ) buffer.transfer(0);
}

/** Closes our side, and after a while the whole connection if the client does not close its side. */
export function closeGracefully({ input, output }: Connection): void {
  input.unpipe();
  input.resume();
  output.end();
  const timer = setTimeout(() => {
    input.destroy();
    output.destroy();
  }, LINGER_MS);
  finished(input, () => clearTimeout(timer));
}
