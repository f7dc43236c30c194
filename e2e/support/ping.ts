/** A continuous ping, whose output shows each lost packet. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { collect, type TestHost } from './host.ts';

export interface PingResult {
  sent: number;
  /** Numbers of the packets without an answer. Those that were on their way when ping was stopped do not count. */
  lost: number[];
}

/** Reads the output of ping, which counts packets in 16 bits. Pure. */
export function parsePing(output: string): PingResult {
  const answered = new Set<number>();
  let last = 0;
  for (const [, text] of output.matchAll(/ icmp_seq=(\d+) ttl=/g)) {
    last += ((Number(text) - last + 0x8000) & 0xffff) - 0x8000;
    answered.add(last);
  }
  const sent = Number(/^(\d+) packets transmitted/m.exec(output)?.[1]);
  const numbers = Array.from({ length: Math.max(0, sent - 2) }, (_, index) => index + 1);
  return { sent, lost: numbers.filter((number) => !answered.has(number)) };
}

export class Ping {
  readonly #process: ChildProcess;
  readonly #ended: ReturnType<typeof collect>;

  private constructor(process: ChildProcess) {
    this.#process = process;
    this.#ended = collect(process);
  }

  /** Sends a packet every 20 ms, from the host or from a namespace in it. Returns when the first one was answered. */
  static async start(host: TestHost, address: string, netns?: string): Promise<Ping> {
    const enter = netns === undefined ? [] : ['nsenter', `--net=${netns}`];
    const process = host.start([...enter, 'ping', '-i', '0.02', address]);
    const ping = new Ping(process);
    await once(process.stdout as NodeJS.ReadableStream, 'data');
    return ping;
  }

  async stop(): Promise<PingResult> {
    this.#process.kill('SIGINT');
    const { stdout } = await this.#ended;
    return parsePing(stdout);
  }
}
