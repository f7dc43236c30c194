/** A connection to the inspector of a process in the same network namespace, with its worker threads. */
import { setTimeout as pause } from 'node:timers/promises';

interface Message {
  id?: number;
  result?: { result?: { value?: string; description?: string } };
  method?: string;
  params?: { sessionId: string; message: string };
}
interface Waiter {
  resolve: (reply: Message) => void;
  reject: (error: Error) => void;
}

/** A thread that is blocked in a system call does not answer, and does not report that it is there. */
const THREAD_MS = 5_000;
const ATTACH_MS = 500;

export class Inspector {
  readonly #socket: WebSocket;
  /** Of replies, by session (empty: the main thread) and id. */
  readonly #waiters = new Map<string, Waiter>();
  readonly #threads: string[] = [];
  #ids = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('close', () => {
      for (const { reject } of this.#waiters.values()) reject(new Error('the daemon closed its inspector'));
    });
    socket.addEventListener('message', ({ data }: { data: unknown }) => this.#receive(JSON.parse(String(data)), ''));
  }

  /** Opens the inspector with SIGUSR1, on a port of loopback. */
  static async open(pid: number): Promise<Inspector> {
    const socket = new WebSocket(await inspectorAddress(pid));
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve);
      socket.addEventListener('error', reject);
    });
    const inspector = new Inspector(socket);
    await inspector.command('NodeWorker.enable', { waitForDebuggerOnStart: false });
    await pause(ATTACH_MS);
    return inspector;
  }

  /** Sends one command to the main thread. */
  command(method: string, params: object = {}): Promise<Message> {
    this.#ids += 1;
    const { promise, resolve, reject } = Promise.withResolvers<Message>();
    this.#waiters.set(` ${this.#ids}`, { resolve, reject });
    this.#socket.send(JSON.stringify({ id: this.#ids, method, params }));
    return promise;
  }

  /** Sends one command to all worker threads. @returns the replies of those that answer in time */
  async commandThreads(method: string, params: object = {}): Promise<Message[]> {
    this.#ids += 1;
    const id = this.#ids;
    const message = JSON.stringify({ id, method, params });
    const replies = this.#threads.map(async (sessionId) => {
      const { promise, resolve, reject } = Promise.withResolvers<Message>();
      this.#waiters.set(`${sessionId} ${id}`, { resolve, reject });
      await this.command('NodeWorker.sendMessageToWorker', { sessionId, message });
      return Promise.race([promise, pause(THREAD_MS, undefined, { ref: false })]);
    });
    return (await Promise.all(replies)).filter((reply) => reply !== undefined);
  }

  /** Closes the inspector itself, too. */
  async close(): Promise<void> {
    await this.command('NodeWorker.disable');
    const expression = "setTimeout(() => process.getBuiltinModule('node:inspector').close(), 100)";
    await this.command('Runtime.evaluate', { expression });
    this.#socket.close();
  }

  #receive({ id, result, method, params }: Message, session: string): void {
    if (method === 'NodeWorker.attachedToWorker' && params) this.#threads.push(params.sessionId);
    if (method === 'NodeWorker.receivedMessageFromWorker' && params)
      this.#receive(JSON.parse(params.message), params.sessionId);
    const key = `${session} ${id}`;
    this.#waiters.get(key)?.resolve({ ...(result ? { result } : {}) });
    this.#waiters.delete(key);
  }
}

/** The value of an evaluated expression. */
export function evaluated({ result }: Message): string {
  const value = result?.result?.value;
  if (value === undefined) throw new Error(result?.result?.description ?? 'no result');
  return value;
}

async function inspectorAddress(pid: number): Promise<string> {
  process.kill(pid, 'SIGUSR1');
  for (let tries = 0; tries < 100; tries += 1) {
    const answer = await fetch('http://127.0.0.1:9229/json/list').catch(() => undefined);
    const [target] = ((await answer?.json()) ?? []) as { webSocketDebuggerUrl: string }[];
    if (target) return target.webSocketDebuggerUrl;
    await pause(100);
  }
  throw new Error('the daemon opened no inspector');
}
