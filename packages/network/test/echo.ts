/** A client inside a namespace of a test's own host that keeps one connection open. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { eventually } from './wire.ts';

/** A TCP connection that sends a line and gets it back, as often as asked. */
export class Echo {
  readonly #process;
  #received = '';
  #sent = 0;

  constructor(ns: string, address: string, port: number) {
    this.#process = spawn('nsenter', [`--net=${ns}`, 'socat', '-', `TCP4:${address}:${port}`]);
    this.#process.stdout.on('data', (chunk) => {
      this.#received += chunk;
    });
    this.#process.stdin.on('error', () => undefined); // seen as an answer that does not come
  }

  async answers(): Promise<void> {
    this.#sent += 1;
    const line = `line ${this.#sent}\n`;
    this.#process.stdin.write(line);
    await eventually(`${line.trim()} comes back`, () => this.#received.endsWith(line));
  }

  async end(): Promise<void> {
    const ended = once(this.#process, 'close');
    this.#process.kill();
    await ended;
  }
}
