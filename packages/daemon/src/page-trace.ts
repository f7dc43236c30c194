/**
 * Runs `netyard trace` for the topology page, as a process of its own: it enters the namespaces of all containers, and its
 * time and memory are not the daemon's. One at a time; it ends when the page leaves.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { NetyardError } from '@netyard/core';
import type { PageTracer } from '@netyard/web';

const entryPoint = join(import.meta.dirname, '../../cli/src/main.ts');
/** A sender without a neighbour gives up after 3 s; each of several hosts may take as long. */
const TIMEOUT_MS = 60_000;
const maximumOutput = 4 * 1024 * 1024;

export interface TracerOptions {
  /** Of this daemon's API, whose containers the trace finds there; undefined: the default one. */
  socket: string | undefined;
  env: Readonly<Record<string, string | undefined>>;
  /** Default: the command line of this project. */
  program?: readonly [command: string, ...args: string[]];
}

export function openTracer({ socket, env, program = [process.execPath, '--', entryPoint] }: TracerOptions): PageTracer {
  let isRunning = false;
  return async (from, to, signal) => {
    if (isRunning)
      throw new NetyardError('unavailable', 'another trace is running', { hint: 'try again when it has ended' });
    isRunning = true;
    try {
      const host = socket === undefined ? {} : { NETYARD_HOST: `unix://${socket}` };
      return await run([...program, 'trace', '--json', '--', from, to], { ...env, ...host }, signal);
    } finally {
      isRunning = false;
    }
  };
}

/** Resolves with standard output. Exit codes 0 to 2 are results; with others the reason is on standard error. */
async function run(
  [command = '', ...args]: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<string> {
  signal.throwIfAborted();
  // A group of its own: the podman command that it may run ends with it.
  const child = spawn(command, args, { cwd: '/', env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const [output, errors] = [new Collected(maximumOutput), new Collected(4_096)];
  const kill = (): void => killGroup(child.pid);
  child.stdout.on('data', (piece: Buffer) => output.add(piece) || kill());
  child.stderr.on('data', (piece: Buffer) => errors.add(piece));
  const timer = setTimeout(kill, TIMEOUT_MS);
  signal.addEventListener('abort', kill, { once: true });
  try {
    const status = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject).once('close', resolve);
    });
    if (output.isCut) throw new NetyardError('failed', `the trace is longer than ${maximumOutput} bytes`);
    if (status !== null && status <= 2) return output.text();
    throw failureOf(status, errors.text());
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', kill);
  }
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error; // it has ended
  }
}

/** What the command prints, without its name: most of it is for the user, such as an unknown name. */
function failureOf(status: number | null, text: string): NetyardError {
  if (status === null)
    return new NetyardError('failed', `the trace took longer than ${TIMEOUT_MS / 1_000} s, or was ended`);
  const [message = '', ...more] = text.trim().split('\n');
  const hint = more.join(' ').trim();
  const reason = message.replace(/^netyard[^:]*: /, '');
  const shown = reason === '' ? `netyard trace ended with status ${status}` : reason;
  return new NetyardError('invalid', shown, hint === '' ? {} : { hint });
}

/** Output up to a limit; what is beyond is dropped. */
class Collected {
  readonly #pieces: Buffer[] = [];
  readonly #maximum: number;
  #length = 0;
  isCut = false;

  constructor(maximum: number) {
    this.#maximum = maximum;
  }

  /** False once the limit is exceeded. */
  add(piece: Buffer): boolean {
    this.isCut ||= this.#length + piece.length > this.#maximum;
    if (this.isCut) return false;
    this.#pieces.push(piece);
    this.#length += piece.length;
    return true;
  }

  text(): string {
    return Buffer.concat(this.#pieces).toString('utf8');
  }
}
