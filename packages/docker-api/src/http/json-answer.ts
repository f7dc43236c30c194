/**
 * Sends JSON responses: small ones whole, large ones in pieces with back-pressure, yielding to other requests between
 * the pieces.
 */
import { TimeSlice } from '@netyard/core';
import { jsonPieces } from './json-pieces.ts';
import { writePiece } from './pump.ts';
import { type RequestContext, UNREAD_ANSWER_MS } from './request-context.ts';

/** Characters. Shorter responses are sent whole, with Content-Length; longer ones in writes of this size. */
const PIECE_LENGTH = 64 * 1024;

const headers = { 'Content-Type': 'application/json' };

/** Lists may be a `LazyList`. Compact, with a final line feed, like Go's encoder. */
export function sendJson(exchange: RequestContext, status: number, value: unknown): void {
  const pieces = jsonPieces(value);
  let text = '';
  for (let next = pieces.next(); !next.done; next = pieces.next()) {
    text += next.value;
    // The request's scope handles later errors: it ends the connection.
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
