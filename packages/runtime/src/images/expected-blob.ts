/** Compares data with what was announced. All throw `invalid`. Pure. */
import { NetyardError } from '@netyard/core';

export interface Expected {
  digest?: string;
  size?: number;
}

export function checkExpected(expected: Expected, { digest, size }: { digest: string; size: number }): void {
  if (expected.size !== undefined && expected.size !== size) {
    throw new NetyardError('invalid', `a blob has ${size} bytes, expected ${expected.size}`);
  }
  if (expected.digest !== undefined && expected.digest !== digest) {
    throw new NetyardError('invalid', `a blob's digest is ${digest}, expected ${expected.digest}`);
  }
}

export const tooLong = (size: number): NetyardError =>
  new NetyardError('invalid', `a blob has more than the expected ${size} bytes`);

/** Fails as soon as the data exceed the size: an endless source must not fill the disk. */
export async function* notLonger(stream: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array> {
  let length = 0;
  for await (const chunk of stream) {
    length += chunk.length;
    if (length > size) throw tooLong(size);
    yield chunk;
  }
}
