/** Connects a process's input and output with a hijacked connection: attach and exec. */
import { finished } from 'node:stream';
import type { Attachment, OutputChunk } from '@netyard/engine';
import type { Connection } from '../http/connection.ts';
import { pump } from '../http/pump.ts';
import { encodeFrame } from './stdcopy.ts';

/** How long a client may keep its side open after we have closed ours. */
const LINGER_MS = 2_000;

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
  feedStdin(connection, attachment);
  try {
    await pump(attachment.output, connection.output, encode, signal);
  } finally {
    closeGracefully(connection);
  }
}

/** The end of the client's input closes the process's stdin. */
function feedStdin({ input }: Connection, { stdin }: Attachment): void {
  if (!stdin) {
    input.resume();
    return;
  }
  stdin.on('error', () => {
    // The process closed its stdin or has exited: further input is discarded, output continues.
    input.unpipe(stdin);
    input.resume();
  });
  // An input error means that the client disconnected, which the signal reports; it only needs a listener here.
  input.on('error', () => stdin.end());
  input.pipe(stdin);
  // A client that vanishes must end the input too; pipe() forwards only an orderly end.
  input.once('close', () => stdin.end());
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
