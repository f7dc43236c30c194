import type { Readable, Writable } from 'node:stream';

/** Both directions of a connection that a handler took over; one and the same stream after an upgrade. */
export interface Connection {
  input: Readable;
  output: Writable;
}
