/** A process's input and output over a connection that was taken over: attach and exec. */
import { finished } from 'node:stream';
import type { Attachment, OutputChunk } from '@netyard/engine';
import type { Connection } from '../http/connection.ts';
import { pump } from '../http/pump.ts';
import { encodeFrame } from './stdcopy.ts';

/** How long a client may keep its side open after ours has ended. */
const LINGER_MS = 2_000;

export const rawStream = 'application/vnd.docker.raw-stream';
export const multiplexedStream = 'application/vnd.docker.multiplexed-stream';

export type EncodeChunk = (chunk: OutputChunk) => Uint8Array | string;

/** Without framing: of a terminal, which has one stream, and over a WebSocket. */
export const bytesOf: EncodeChunk = ({ data }) => data;

/** Runs until the process's output has ended, the client has gone or the detach keys were typed. */
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
    closeGently(connection);
  }
}

/** An end of the client's input half-closes the process's. */
function feedStdin({ input }: Connection, { stdin }: Attachment): void {
  if (!stdin) {
    input.resume();
    return;
  }
  stdin.on('error', () => {
    // The process closed its stdin or is gone: its output says the rest, what is still typed goes nowhere.
    input.unpipe(stdin);
    input.resume();
  });
  // An error of the input is the client's going, which the signal reports; here it must only have a listener.
  input.on('error', () => stdin.end());
  input.pipe(stdin);
  // A client that vanishes ends its input, too; pipe() passes only an orderly end on.
  input.once('close', () => stdin.end());
}

/** Ends our side, and after a while the whole connection when the client does not end its own. */
export function closeGently({ input, output }: Connection): void {
  input.unpipe();
  input.resume();
  output.end();
  const timer = setTimeout(() => {
    input.destroy();
    output.destroy();
  }, LINGER_MS);
  finished(input, () => clearTimeout(timer));
}
