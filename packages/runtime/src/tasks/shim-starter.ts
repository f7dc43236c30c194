/**
 * Starts the containers' shims itself, before containerd is called to create the task: the shim starts while the
 * network and the root file system are set up, and its environment is ours.
 *
 * containerd runs `shim-start.sh` as the shim (the "start" command of its runtime v2 protocol may return the address of
 * a running shim), and the script returns the socket recorded here. If anything went wrong before, the script executes
 * the usual shim, which starts itself. See docs/decisions/0014.
 */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { isFullId, type Logger, messageOf } from '@netyard/core';
import { hasEnded, maxUnixPathLength, openFifo, openUnixListener, readIfExists, spawnDetached } from '@netyard/kernel';
import { findShims } from '../containerd/process.ts';
import { readOomScoreAdj } from './host-facts.ts';
import { findExecutable, works } from './runtimes.ts';

export interface ShimStarterOptions {
  /** containerd's, whose directory also contains what is prepared. */
  socket: string;
  namespace: string;
  /** Absolute directory of our own; must allow execution of programs. */
  programs: string;
  /** The OCI runtime keeps the state of container ID in ROOT/NAMESPACE/ID. */
  runtimeRoot: string;
  searchPath: string;
  /** For the shims, and thus for the OCI runtime. */
  env: Readonly<Record<string, string>>;
  logger: Logger;
}

const reapEveryMs = 200;
const shimProgram = 'containerd-shim-runc-v2';

export interface ShimStarter {
  /** The runtime name for containerd: an absolute path. */
  readonly runtimeName: string;
  /**
   * Starts the shim of a container that is about to be created. A failure is logged; containerd starts it then.
   * @param held FIFOs that the shim is to hold open for reading until it exits
   */
  begin(id: string, held: readonly string[]): void;
  /** Forgets it; `unused`: also ends it, as containerd does not know it. */
  discard(id: string, options: { unused: boolean }): void;
  /** Ids with a prepared shim that is not discarded. */
  prepared(): string[];
}

/**
 * undefined if it cannot be used, which is logged: no shim of that name, no program may be run in `programs`, or the
 * directory's path is too long for sockets.
 */
export async function openShimStarter(options: ShimStarterOptions): Promise<ShimStarter | undefined> {
  const { programs, searchPath, logger } = options;
  const shim = findExecutable(shimProgram, searchPath);
  const script = join(programs, 'containerd-shim-netyard');
  mkdirSync(programs, { recursive: true, mode: 0o711 });
  writeProgram(join(import.meta.dirname, 'shim-start.sh'), script);
  const fits = Buffer.byteLength(join(dirname(options.socket), 'shims', newSocketName())) <= maxUnixPathLength;
  if (shim !== undefined && fits && (await works(script, 'probe'))) return new Starter(options, shim, script);
  logger.warn('shims are started by containerd, which takes more time and memory', { shim, script });
  return undefined;
}

const newSocketName = (): string => randomBytes(8).toString('hex');

/** Renamed into place: a running containerd may be about to call the old one. Unchanged content is kept. */
function writeProgram(source: string, target: string): void {
  if (existsSync(target) && readFileSync(source).equals(readFileSync(target))) return;
  const draft = `${target}.new`;
  copyFileSync(source, draft);
  chmodSync(draft, 0o755);
  renameSync(draft, target);
}

class Starter implements ShimStarter {
  readonly runtimeName: string;
  readonly #options: ShimStarterOptions;
  readonly #shim: string;
  readonly #folder: string;
  /** Container ids to pids. */
  readonly #children = new Map<string, number>();
  readonly #ending = new Set<number>();
  #reaping: NodeJS.Timeout | undefined;

  constructor(options: ShimStarterOptions, shim: string, script: string) {
    this.#options = options;
    this.#shim = shim;
    this.runtimeName = script;
    this.#folder = join(dirname(options.socket), 'shims'); // where the script looks
  }

  begin(id: string, held: readonly string[]): void {
    try {
      if (existsSync(this.#home(id))) this.discard(id, { unused: true }); // an earlier start was interrupted
      this.#start(id, held);
    } catch (error) {
      this.#options.logger.warn('starting a shim failed', { container: id, error: messageOf(error) });
      this.discard(id, { unused: true });
    }
  }

  discard(id: string, { unused }: { unused: boolean }): void {
    const home = this.#home(id);
    if (!existsSync(home)) return;
    if (unused) for (const pid of this.#shimsOf(id)) endNow(pid);
    const address = readIfExists(join(home, 'address'));
    if (address?.startsWith(`unix://${this.#folder}/`)) rmSync(address.slice('unix://'.length), { force: true });
    rmSync(home, { recursive: true, force: true });
    const child = this.#children.get(id);
    if (child === undefined) return;
    this.#children.delete(id);
    this.#ending.add(child);
    this.#reap();
  }

  /** A shim started a moment ago may not show its command line yet; those of an earlier daemon are not recorded. */
  #shimsOf(id: string): Set<number> {
    const child = this.#children.get(id);
    const found = findShims(id, this.#options.socket).map(({ pid }) => pid);
    return new Set(child === undefined ? found : [child, ...found]);
  }

  prepared(): string[] {
    return existsSync(this.#folder) ? readdirSync(this.#folder).filter(isFullId) : [];
  }

  #home(id: string): string {
    return join(this.#folder, id);
  }

  #start(id: string, held: readonly string[]): void {
    const { socket, namespace, runtimeRoot } = this.#options;
    const home = this.#home(id);
    // A new one each time: a shim of the same container that is about to end removes its own.
    const address = join(this.#folder, newSocketName());
    mkdirSync(home, { recursive: true, mode: 0o700 });
    writeFileSync(join(home, 'state'), `${join(runtimeRoot, namespace, id)}\n`);
    writeFileSync(join(home, 'log'), ''); // where a shim writes its errors
    writeFileSync(join(home, 'address'), `unix://${address}`); // read by the script, and by the shim when it ends
    const words = ['-namespace', namespace, '-id', id, '-address', socket];
    const inherited = [openUnixListener(address)];
    try {
      // Unread output of a container that has ended stays in a FIFO as long as a process has it open.
      for (const path of held) inherited.push(openFifo(path, 'read'));
      const environment = this.#environment();
      const pid = spawnDetached({ program: this.#shim, args: words, environment, folder: home, inherited });
      this.#children.set(id, pid);
      spare(pid);
    } finally {
      for (const fd of inherited) closeSync(fd);
    }
  }

  /** Reaps shims that are about to end. Those of an earlier daemon are not our children. */
  #reap(): void {
    for (const pid of this.#ending) if (hasEnded(pid)) this.#ending.delete(pid);
    if (this.#ending.size > 0) this.#reaping ??= setTimeout(() => this.#reapAgain(), reapEveryMs).unref();
  }

  #reapAgain(): void {
    this.#reaping = undefined;
    this.#reap();
  }

  /**
   * One thread for Go at a time: each further one has its own cache of free memory, of every size. containerd would use
   * four; 2.5 MiB of a shim's own memory become 1.4 MiB with one.
   */
  #environment(): Record<string, string> {
    const { socket, searchPath, env } = this.#options;
    return { PATH: searchPath, TTRPC_ADDRESS: `${socket}.ttrpc`, GOMAXPROCS: '1', ...env };
  }
}

/**
 * As the shim does for itself: when memory is short, it is killed before the processes that started it, but after
 * containers.
 */
function spare(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, String(Math.min(readOomScoreAdj() + 1, 1000)));
  } catch {
    // it ended at once: creating the task reports it
  }
}

function endNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it ended by itself
  }
}
