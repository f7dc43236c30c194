/** Continuous traffic from lab hosts and network namespaces in them; every request and its outcome is counted. */
import type { ChildProcess } from 'node:child_process';
import { collect, type TestHost, until } from './host.ts';

/** Prints `right`, or `wrong` with the reason, for each HTTP request on a connection of its own. */
const requestScript = (url: string, expected: string): string => `
  const ask = async () => {
    try {
      const options = { headers: { connection: 'close' }, signal: AbortSignal.timeout(60_000) };
      const text = await (await fetch('${url}', options)).text();
      console.log(text.includes('${expected}') ? 'right' : 'wrong ' + JSON.stringify(text.slice(0, 80)));
    } catch (error) {
      console.log('wrong ' + (error.cause ?? error));
    }
    if (!stopped) setTimeout(ask, 50);
  };
  ask();`;

/** Prints `right` for each line that comes back over one TCP connection. */
const echoScript = (address: string, port: number): string => `
  const socket = require('node:net').connect(${port}, '${address}');
  let sent = 0, received = '';
  const send = () => {
    if (stopped) return socket.destroy();
    sent += 1;
    socket.write('line ' + sent + '\\n');
  };
  socket.on('connect', send).setEncoding('utf8').on('data', (text) => {
    received += text;
    if (!received.endsWith('\\n')) return;
    console.log(received === 'line ' + sent + '\\n' ? 'right' : 'wrong ' + received);
    received = '';
    setTimeout(send, 50);
  });
  socket.on('error', (error) => console.log('wrong ' + error)).on('end', () => console.log('wrong end'));`;

/**
 * Sends UDP datagrams, each from a port of its own, so that each is a new connection for the firewall and no
 * retransmission hides a loss. Prints `right` for each that is answered.
 */
const datagramScript = (address: string, port: number): string => `
  const send = () => {
    const socket = require('node:dgram').createSocket('udp4');
    const lost = setTimeout(() => { console.log('wrong: lost'); socket.close(); }, 30_000);
    const end = (outcome) => { console.log(outcome); clearTimeout(lost); socket.close(); };
    socket.on('message', () => end('right')).on('error', (error) => end('wrong ' + error));
    socket.send('datagram', ${port}, '${address}');
    if (!stopped) setTimeout(send, 20);
  };
  send();`;

/** Sends every datagram back to its sender. */
export const datagramEcho = (port: number): string => `
  const socket = require('node:dgram').createSocket('udp4');
  socket.on('message', (data, { address, port }) => socket.send(data, port, address)).bind(${port});`;

/** Sends UDP datagrams that must not arrive anywhere; prints `right` for each that was sent. */
const probeScript = (address: string, port: number): string => `
  const socket = require('node:dgram').createSocket('udp4');
  socket.on('error', () => {});
  const send = () => socket.send('probe', ${port}, '${address}', () => {
    console.log('right');
    if (stopped) socket.close(); else setTimeout(send, 5);
  });
  send();`;

export class Traffic {
  readonly name: string;
  readonly #process: ChildProcess;
  readonly #ended: ReturnType<typeof collect>;
  #output = '';

  constructor(name: string, host: TestHost, ns: string | undefined, script: string) {
    this.name = name;
    const program = [
      process.execPath,
      '-e',
      `let stopped = false; process.on('SIGTERM', () => { stopped = true; });${script}`,
    ];
    this.#process = host.start(ns === undefined ? program : ['nsenter', `--net=${ns}`, ...program]);
    this.#process.stdout?.on('data', (text) => {
      this.#output += text;
    });
    this.#ended = collect(this.#process);
  }

  get count(): number {
    return this.#output.split('right\n').length - 1;
  }

  /** Outcomes of requests that failed. */
  get failures(): string[] {
    return this.#output.split('\n').filter((line) => line.startsWith('wrong'));
  }

  /** Waits until `more` further requests succeeded, or one failed. */
  async progress(more: number): Promise<void> {
    const enough = this.count + more;
    await until(() => this.count >= enough || this.failures.length > 0, `${this.name}: ${more} more requests`);
  }

  async stop(): Promise<void> {
    this.#process.kill('SIGTERM');
    const { stderr } = await this.#ended;
    if (stderr !== '') throw new Error(`${this.name}: ${stderr}`);
  }
}

export const requestRepeatedly = (name: string, host: TestHost, url: string, expected: string, ns?: string): Traffic =>
  new Traffic(name, host, ns, requestScript(url, expected));

export const keepConnection = (name: string, host: TestHost, address: string, port: number): Traffic =>
  new Traffic(name, host, undefined, echoScript(address, port));

export const sendDatagrams = (name: string, host: TestHost, address: string, port: number, ns?: string): Traffic =>
  new Traffic(name, host, ns, datagramScript(address, port));

export const probeRepeatedly = (name: string, host: TestHost, address: string, port: number): Traffic =>
  new Traffic(name, host, undefined, probeScript(address, port));
