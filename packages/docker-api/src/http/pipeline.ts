/**
 * Requests that a client sends on one connection without waiting for answers are served one after the other, as Go's
 * server does; while many wait, the connection is not read.
 */
import type { Socket } from 'node:net';

const PAUSE_AT = 64;
const RESUME_AT = 8;

interface Line {
  serving: boolean;
  paused: boolean;
  waiting: (() => void)[];
}

export class Pipeline {
  readonly #lines = new WeakMap<Socket, Line>();

  /** Runs `serve` now or when the requests before it have been answered; `leave` must follow each, once. */
  enter(socket: Socket, serve: () => void): void {
    const line = this.#lines.get(socket) ?? { serving: false, paused: false, waiting: [] };
    this.#lines.set(socket, line);
    if (!line.serving) {
      line.serving = true;
      serve();
      return;
    }
    line.waiting.push(serve);
    if (line.waiting.length < PAUSE_AT) return;
    line.paused = true;
    socket.pause();
  }

  /** An answer on this connection is complete. */
  leave(socket: Socket): void {
    const line = this.#lines.get(socket);
    if (!line) return;
    const next = line.waiting.shift();
    if (line.paused && line.waiting.length <= RESUME_AT) {
      line.paused = false;
      socket.resume();
    }
    if (next) next();
    else line.serving = false;
  }
}
