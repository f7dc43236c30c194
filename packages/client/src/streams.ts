/** The two formats inside Docker's streams: multiplexed output (stdcopy) and a sequence of JSON values. */
import { NetyardError } from '@netyard/core';

export interface OutputFrame {
  stream: 'stdout' | 'stderr';
  data: Uint8Array;
}

const headerLength = 8;
const streamNames = ['stdout', 'stdout', 'stderr'] as const;

/**
 * Decodes stdcopy: each frame is a stream number (0 stdin, 1 stdout, 2 stderr, 3 an error of the daemon's), three zero
 * bytes, the length (big endian, 32 bit), then the data. Data are passed on as they arrive, not gathered per frame.
 */
export async function* demultiplex(source: AsyncIterable<Uint8Array>): AsyncGenerator<OutputFrame> {
  let header = Buffer.alloc(0);
  let left = 0;
  let kind = 1;
  for await (const chunk of source) {
    let rest = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    while (rest.length > 0) {
      if (left === 0) {
        const missing = headerLength - header.length;
        header = Buffer.concat([header, rest.subarray(0, missing)]);
        rest = rest.subarray(missing);
        if (header.length < headerLength) break;
        kind = header.readUInt8(0);
        left = header.readUInt32BE(4);
        header = Buffer.alloc(0);
        continue;
      }
      const data = rest.subarray(0, left);
      rest = rest.subarray(data.length);
      left -= data.length;
      if (kind === 3) throw new NetyardError('failed', `error from daemon in stream: ${data.toString('utf8')}`);
      const stream = streamNames[kind];
      if (stream === undefined) throw new NetyardError('internal', `unrecognized input header: ${kind}`);
      yield { stream, data };
    }
  }
}

/** A terminal's output is one stream, without frames. */
export async function* rawOutput(source: AsyncIterable<Uint8Array>): AsyncGenerator<OutputFrame> {
  for await (const data of source) yield { stream: 'stdout', data };
}

/** JSON values separated by newlines. A last line without one counts too. */
export async function* jsonLines<T>(
  source: AsyncIterable<Uint8Array>,
  parse: (line: string) => T = JSON.parse,
): AsyncGenerator<T> {
  const parseLine = (line: string): T => {
    try {
      return parse(line);
    } catch (cause) {
      throw new NetyardError('internal', `the daemon sent invalid JSON: ${line.slice(0, 80)}`, { cause });
    }
  };
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of source) {
    text += decoder.decode(chunk, { stream: true });
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') yield parseLine(line);
  }
  text += decoder.decode();
  if (text.trim() !== '') yield parseLine(text);
}
