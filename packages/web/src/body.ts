/** Reads a small JSON body. */
import type { IncomingMessage } from 'node:http';
import { isNetyardError, NetyardError } from '@netyard/core';
import type { z } from 'zod';

const maximumLength = 4_096;

/** Throws `invalid` for a body that is too long, no JSON or of another form. */
export async function readJsonBody<T>(request: IncomingMessage, schema: z.ZodType<T>): Promise<T> {
  const result = schema.safeParse(parseJson(await readText(request)));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new NetyardError('invalid', `invalid body: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`.trim());
}

async function readText(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let length = 0;
  try {
    for await (const piece of request as AsyncIterable<Buffer>) {
      length += piece.length;
      if (length > maximumLength) throw new NetyardError('invalid', `the body is longer than ${maximumLength} bytes`);
      pieces.push(piece);
    }
  } catch (error) {
    if (isNetyardError(error)) throw error;
    throw new NetyardError('invalid', 'the connection ended before the body', { cause: error });
  }
  return Buffer.concat(pieces).toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new NetyardError('invalid', 'the body is no JSON', { cause: error });
  }
}
