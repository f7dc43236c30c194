/**
 * Runs `netyard trace` and `netyard topology` for the topology page, as processes of their own: they enter the namespaces of
 * all containers and read what other engines answer, and neither that time nor that memory is to be the daemon's.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { NetyardError } from '@netyard/core';
import type { PageCommands } from '@netyard/web';

const netyard = join(import.meta.dirname, '../../../bin/netyard');
/** A sender without a neighbour gives up after 3 s; each of several hosts may take as long. */
const TIMEOUT_MS = 60_000;
const maximumReport = 4 * 1024 * 1024;
const maximumTopology = 64 * 1024 * 1024;

export interface CommandOptions {
  /** Of this daemon's API, whose containers the commands find there; undefined: the default one. */
  socket: string | undefined;
  env: Readonly<Record<string, string | undefined>>;
  /** Default: the command line of this project. */
  program?: readonly [command: string, ...args: string[]];
}

export function openCommands(options: CommandOptions): PageCommands {
  const { socket, program = [netyard] } = options;
  const env = { ...options.env, ...(socket === undefined ? {} : { NETYARD_HOST: `unix://${socket}` }) };
  let isTracing = false;
  return {
    /** One at a time; it ends when the page leaves. */
    async trace(from, to, signal) {
      if (isTracing)
        throw new NetyardError('unavailable', 'another trace is running', { hint: 'try again when it has ended' });
      isTracing = true;
      try {
        const command = [...program, 'trace', '--json', '--', from, to];
        const { status, output, errors } = await run(command, env, maximumReport, signal);
        // 0 to 2 are results.
        if (status !== null && status <= 2) return output;
        throw failureOf('trace', status, errors);
      } finally {
        isTracing = false;
      }
    },
    async topology(signal) {
      const { status, output, errors } = await run([...program, 'topology', '--json'], env, maximumTopology, signal);
      if (status === 0) return output;
      throw failureOf('topology', status, errors);
    },
  };
}

interface Ended {
  /** Null after a signal. */
  status: number | null;
  output: string;
  errors: string;
}

async function run(
  [command = '', ...args]: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  maximum: number,
  signal: AbortSignal,
): Promise<Ended> {
  signal.throwIfAborted();
  // A group of its own: the podman command that it may run ends with it.
  const child = spawn(command, args, { cwd: '/', env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const [output, errors] = [new Collected(maximum), new Collected(4_096)];
  const kill = (): void => killGroup(child.pid);
  child.stdout.on('data', (piece: Buffer) => output.add(piece) || kill());
  child.stderr.on('data', (piece: Buffer) => errors.add(piece));
  const timer = setTimeout(kill, TIMEOUT_MS);
  signal.addEventListener('abort', kill, { once: true });
  try {
    const status = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject).once('close', resolve);
    });
    if (output.isCut) throw new NetyardError('failed', `the output is longer than ${maximum} bytes`);
    return { status, output: output.text(), errors: errors.text() };
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
function failureOf(name: string, status: number | null, text: string): NetyardError {
  if (status === null)
    return new NetyardError('failed', `netyard ${name} took longer than ${TIMEOUT_MS / 1_000} s, or was ended`);
  const [message = '', ...more] = text.trim().split('\n');
  const hint = more.join(' ').trim();
  const reason = message.replace(/^netyard[^:]*: /, '');
  const shown = reason === '' ? `netyard ${name} ended with status ${status}` : reason;
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
