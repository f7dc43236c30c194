import type { Readable, Writable } from 'node:stream';

/** Both directions of a hijacked connection; one and the same stream after an upgrade. */
export interface Connection {
  input: Readable;
  output: Writable;
}
