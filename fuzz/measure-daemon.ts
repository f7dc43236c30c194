/**
 * Prints the memory in use of a daemon in the same network namespace, after a garbage collection, as JSON:
 *
 *     node measure-daemon.ts PID
 *
 * Opens the inspector of that process with SIGUSR1, on a port of loopback, and closes it again.
 */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** Bytes. */
export interface MemoryInUse {
  /** JavaScript objects of the main thread. */
  heap: number;
  /** Array buffers and memory that belongs to JavaScript objects. */
  external: number;
  /** Allocated with malloc, by all threads; includes array buffers. */
  malloc: number;
}

/** Runs in the daemon. Native code is free of leaks only if malloc's allocated bytes stay the same; RSS says little. */
function sample(require: NodeJS.Require): string {
  const fs = process.getBuiltinModule('node:fs');
  const libc = require('koffi').load('libc.so.6');
  const path = `/tmp/netyard-malloc-${process.pid}`;
  const file = libc.func('void *fopen(const char *, const char *)')(path, 'w');
  libc.func('int malloc_info(int, void *)')(0, file);
  libc.func('int fclose(void *)')(file);
  const text = fs.readFileSync(path, 'utf8');
  fs.rmSync(path);
  const total = text.slice(text.lastIndexOf('</heap>'));
  const size = (kind: string): number => Number(new RegExp(`type="${kind}"[^>]* size="(\\d+)"`).exec(total)?.[1]);
  const malloc = size('current') + size('mmap') - size('fast') - size('rest');
  const { heapUsed, external } = process.memoryUsage();
  return JSON.stringify({ heap: heapUsed, external, malloc });
}

const expression = `(${sample})(process.getBuiltinModule('node:module').createRequire(
  ${JSON.stringify(join(import.meta.dirname, '../packages/kernel/package.json'))}))`;

interface Reply {
  id: number;
  result?: { result?: { value?: string; description?: string } };
}

/** Sends one command of the inspector's protocol. */
function command(socket: WebSocket, id: number, method: string, params: object = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const onMessage = ({ data }: { data: unknown }): void => {
      const reply = JSON.parse(String(data)) as Reply;
      if (reply.id !== id) return;
      socket.removeEventListener('message', onMessage);
      resolve(reply);
    };
    socket.addEventListener('message', onMessage);
    socket.addEventListener('close', () => reject(new Error(`the daemon closed its inspector: ${method}`)));
    socket.send(JSON.stringify({ id, method, params }));
  });
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

async function measure(pid: number): Promise<string> {
  const socket = new WebSocket(await inspectorAddress(pid));
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve);
    socket.addEventListener('error', reject);
  });
  // The second collection frees what finalizers of the first have released.
  for (const id of [1, 2]) {
    await command(socket, id, 'HeapProfiler.collectGarbage');
    await pause(500);
  }
  const { result } = await command(socket, 3, 'Runtime.evaluate', { expression });
  const value = result?.result?.value;
  const close = "setTimeout(() => process.getBuiltinModule('node:inspector').close(), 100)";
  await command(socket, 4, 'Runtime.evaluate', { expression: close });
  socket.close();
  if (value === undefined) throw new Error(result?.result?.description ?? 'no result');
  return value;
}

if (import.meta.main) console.log(await measure(Number(process.argv[2])));
