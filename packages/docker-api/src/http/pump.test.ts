import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { pump } from './pump.ts';

/** A sink that keeps each piece until the test takes it, as the kernel does for a slow client. */
function slowSink(): { sink: Writable; held: { piece: string; take: (error?: Error) => void }[] } {
  const held: { piece: string; take: (error?: Error) => void }[] = [];
  const sink = new Writable({
    write: (piece: Buffer, _encoding, done) => void held.push({ piece: piece.toString(), take: done }),
  });
  sink.on('error', () => {});
  return { sink, held };
}

/** One and the same memory for every piece, as the log thread's chunks have. */
async function* pieces(requested: string[]): AsyncGenerator<Uint8Array> {
  const memory = Buffer.alloc(1);
  for (const letter of ['a', 'b', 'c']) {
    requested.push(letter);
    memory.write(letter);
    yield memory;
  }
}

const unchanged = (piece: Uint8Array): Uint8Array => piece;

test('the next piece is requested when the sink no longer needs the memory of the one before', async () => {
  const { sink, held } = slowSink();
  const requested: string[] = [];
  const written: string[] = [];
  const work = pump(pieces(requested), sink, unchanged, new AbortController().signal);
  for (const expected of [['a'], ['a', 'b'], ['a', 'b', 'c']]) {
    await turn();
    assert.deepEqual(requested, expected);
    const [one] = held.splice(0);
    written.push(one?.piece ?? '');
    one?.take();
  }
  await work;
  assert.deepEqual(written, ['a', 'b', 'c']);
});

test('a client that disconnects while a piece is written ends the source', async () => {
  for (const end of ['abort', 'failure'] as const) {
    const { sink, held } = slowSink();
    const gone = new AbortController();
    const requested: string[] = [];
    const work = pump(pieces(requested), sink, unchanged, gone.signal);
    await turn();
    if (end === 'abort') gone.abort();
    else held[0]?.take(new Error('connection reset'));
    await work;
    assert.deepEqual(requested, ['a'], end);
  }
});
