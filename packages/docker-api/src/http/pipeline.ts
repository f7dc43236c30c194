/**
 * Serves pipelined requests of a connection one after the other, like Go's server; while many wait, the connection is
 * not read.
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

  /** Runs `serve` once earlier requests of the connection are answered; call `leave` exactly once afterwards. */
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

  /**
   * The current response of this connection is complete. Requests that wait on a connection that ends are dropped: Node
   * does not report the end of their responses, so that nothing would end them.
   */
  leave(socket: Socket): void {
    const line = this.#lines.get(socket);
    if (!line) return;
    if (!socket.writable) line.waiting.length = 0;
    const next = line.waiting.shift();
    if (line.paused && line.waiting.length <= RESUME_AT) {
      line.paused = false;
      socket.resume();
    }
    if (next) next();
    else line.serving = false;
  }
}
