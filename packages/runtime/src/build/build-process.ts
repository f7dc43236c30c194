/**
 * A program in PID and mount namespaces of its own: when it ends, is aborted, or the daemon dies, all processes below it
 * are killed and its mounts are gone.
 */
import { spawn } from 'node:child_process';
import { StringDecoder } from 'node:string_decoder';

export interface ProcessOptions {
  command: readonly string[];
  environment: Readonly<Record<string, string>>;
  folder: string;
  /** Standard output and standard error, as they come; the last line may lack its end. */
  onLine: (line: string) => Promise<void> | undefined;
  signal: AbortSignal;
}

/** Lines beyond this are passed on in parts. */
const longestLine = 64 * 1024;

// One pipe for both outputs keeps their order. setpriv: the process dies with the daemon; unshare: so do its children.
const script = 'exec setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child=KILL --mount-proc "$@" 2>&1';

/** @returns the exit code, 137 for a killed process. Rejects on abort, when all processes have ended. */
export async function runProcess({ command, environment, folder, onLine, signal }: ProcessOptions): Promise<number> {
  signal.throwIfAborted();
  const child = spawn('sh', ['-c', script, 'sh', ...command], {
    cwd: folder,
    env: { ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const status = new Promise<number>((resolve, reject) => {
    child.once('error', reject).once('close', (code) => resolve(code ?? 137));
  });
  status.catch(() => undefined); // awaited below
  // SIGTERM would be passed to none of them; the kernel kills the others with the first process of their namespace.
  const kill = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', kill, { once: true });
  try {
    for await (const line of linesOf(child.stdout)) await onLine(line);
  } catch (error) {
    kill();
    await status;
    throw error;
  } finally {
    signal.removeEventListener('abort', kill);
  }
  const code = await status;
  signal.throwIfAborted();
  return code;
}

async function* linesOf(output: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of output) {
    const parts = (rest + decoder.write(chunk)).split('\n');
    rest = parts.pop() ?? '';
    yield* parts;
    if (rest.length <= longestLine) continue;
    yield rest;
    rest = '';
  }
  if (rest !== '') yield rest;
}
