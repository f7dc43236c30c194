/**
 * Prints the memory in use of a daemon in the same network namespace, after a garbage collection in all its threads, as
 * JSON:
 *
 *     node measure-daemon.ts PID
 */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { evaluated, Inspector } from './inspector.ts';

/** Bytes. */
interface HeapInUse {
  /** JavaScript objects, without compiled code. */
  objects: number;
  /** Bytecode and machine code of JavaScript functions. */
  code: number;
}

/** Bytes. */
export interface MemoryInUse extends HeapInUse {
  /** JavaScript objects of the worker thread that has the most. */
  threadObjects: number;
  /** Allocated with malloc, by all threads; includes array buffers. */
  malloc: number;
  /** How many worker threads run. */
  threads: number;
}

/** Runs in each thread of the daemon. */
function sampleHeap(): string {
  const spaces = process.getBuiltinModule('node:v8').getHeapSpaceStatistics();
  const sum = (isCode: boolean): number =>
    spaces
      .filter(({ space_name: name }) => /^(shared_)?(code|trusted)_/.test(name) === isCode)
      .reduce((total, { space_used_size: size }) => total + size, 0);
  return JSON.stringify({ objects: sum(false), code: sum(true) });
}

/** Runs in the daemon. Native code is free of leaks only if malloc's allocated bytes stay the same; RSS says little. */
function sampleProcess(require: NodeJS.Require): string {
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
  const names = fs
    .readdirSync('/proc/self/task')
    .map((task) => fs.readFileSync(`/proc/self/task/${task}/comm`, 'utf8'));
  return JSON.stringify({
    malloc: size('current') + size('mmap') - size('fast') - size('rest'),
    threads: names.filter((name) => name === 'WorkerThread\n').length,
  });
}

const heapExpression = { expression: `(${sampleHeap})()` };
const processExpression = {
  expression: `(${sampleProcess})(process.getBuiltinModule('node:module').createRequire(
    ${JSON.stringify(join(import.meta.dirname, '../packages/kernel/package.json'))}))`,
};

async function measure(pid: number): Promise<MemoryInUse> {
  const inspector = await Inspector.open(pid);
  // Garbage of threads holds array buffers, too. The second collection frees what finalizers of the first have released.
  for (let times = 0; times < 2; times += 1) {
    await inspector.command('HeapProfiler.collectGarbage');
    await inspector.commandThreads('HeapProfiler.collectGarbage');
    await pause(500);
  }
  const main = JSON.parse(evaluated(await inspector.command('Runtime.evaluate', heapExpression))) as HeapInUse;
  const replies = await inspector.commandThreads('Runtime.evaluate', heapExpression);
  const threads = replies.map((reply) => JSON.parse(evaluated(reply)) as HeapInUse);
  const whole = JSON.parse(evaluated(await inspector.command('Runtime.evaluate', processExpression))) as Pick<
    MemoryInUse,
    'malloc' | 'threads'
  >;
  await inspector.close();
  return { ...main, ...whole, threadObjects: Math.max(0, ...threads.map(({ objects }) => objects)) };
}

if (import.meta.main) console.log(JSON.stringify(await measure(Number(process.argv[2]))));
