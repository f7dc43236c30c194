/** JSON values as lines of a stream, of bounded length. */
import type { Readable, Writable } from 'node:stream';
import { NetyardError } from '@netyard/core';

/** Throws `failed` for a line of more than `maxLength` bytes, and for one that is no JSON; errors of the stream as they are. */
export async function* readJsonLines(input: Readable, maxLength: number): AsyncGenerator<unknown> {
  let pieces: Buffer[] = [];
  let length = 0;
  // The other direction of a connection may still be in use.
  for await (const chunk of input.iterator({ destroyOnReturn: false })) {
    let rest = Buffer.from(chunk);
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      yield parse(Buffer.concat([...pieces, rest.subarray(0, end)]));
      rest = rest.subarray(end + 1);
      [pieces, length] = [[], 0];
    }
    length += rest.length;
    if (length > maxLength) throw new NetyardError('failed', `a message is longer than ${maxLength} bytes`);
    pieces.push(rest);
  }
}

function parse(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString('utf8'));
  } catch (cause) {
    throw new NetyardError('failed', 'a message is no JSON', { cause });
  }
}

export const writeJsonLine = (output: Writable, value: unknown): boolean => output.write(`${JSON.stringify(value)}\n`);
