/** A client inside a namespace of the test host that keeps one TCP connection open. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { eventually } from '@netyard/testkit';

/** Sends a line over one TCP connection and waits for its echo, as often as requested. */
export class Echo {
  readonly #process;
  #received = '';
  #sent = 0;

  constructor(ns: string, address: string, port: number) {
    this.#process = spawn('nsenter', [`--net=${ns}`, 'socat', '-', `TCP4:${address}:${port}`]);
    this.#process.stdout.on('data', (chunk) => {
      this.#received += chunk;
    });
    this.#process.stdin.on('error', () => undefined); // reported as a missing answer
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
