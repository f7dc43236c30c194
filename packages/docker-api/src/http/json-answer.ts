/**
 * JSON answers. A small one goes out whole; a large one in pieces, between which other requests are served, and no
 * faster than its client reads.
 */
import { TimeSlice } from '@netyard/core';
import { jsonPieces } from './json-pieces.ts';
import { writePiece } from './pump.ts';
import { type RequestContext, UNREAD_ANSWER_MS } from './request-context.ts';

/** Characters: what is not longer is sent whole, with its length; one write of a longer answer. */
const PIECE_LENGTH = 64 * 1024;

const headers = { 'Content-Type': 'application/json' };

/** Lists may be a `LazyList`. Compact, with a line feed at the end, as Go's encoder writes it. */
export function sendJson(exchange: RequestContext, status: number, value: unknown): void {
  const pieces = jsonPieces(value);
  let text = '';
  for (let next = pieces.next(); !next.done; next = pieces.next()) {
    text += next.value;
    // What fails from here on has the request's scope, which ends the connection.
    if (text.length > PIECE_LENGTH) return void streamJson(exchange, status, text, pieces);
  }
  exchange.answer.send(status, headers, `${text}\n`);
}

async function streamJson(
  { answer, signal }: RequestContext,
  status: number,
  beginning: string,
  pieces: Generator<string>,
): Promise<void> {
  const sink = answer.open(status, headers);
  const unread = setTimeout(() => sink.destroy(), UNREAD_ANSWER_MS).unref();
  sink.once('close', () => clearTimeout(unread));
  const turn = new TimeSlice();
  let text = beginning;
  for (const piece of pieces) {
    if (text.length > PIECE_LENGTH) {
      if (!(await writePiece(sink, text, signal))) return;
      unread.refresh();
      text = '';
    }
    if (turn.isOver) await turn.next();
    text += piece;
  }
  sink.end(`${text}\n`);
}
