/** `netyard daemon` as a process of its own, for tests in a fresh host. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const entry = join(import.meta.dirname, '../src/index.ts');
const program = `const { runDaemon } = await import(${JSON.stringify(entry)}); process.exitCode = await runDaemon(process.argv.slice(1));`;

export interface DaemonFolders {
  dataRoot: string;
  execRoot: string;
  socket: string;
  remove(): void;
}

/** Includes a /run of its own: sockets and locks of this host only. Call it in a fresh host. */
export function makeFolders(): DaemonFolders {
  spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', '/run']);
  mkdirSync('/run/netns');
  const dataRoot = mkdtempSync(join(tmpdir(), 'netyard-daemon-'));
  const execRoot = '/run/netyard';
  const remove = (): void => rmSync(dataRoot, { recursive: true, force: true });
  return { dataRoot, execRoot, socket: join(execRoot, 'netyard.sock'), remove };
}

export interface DaemonProcess {
  child: ChildProcess;
  /** Its output so far. */
  log(): string;
  /** Resolves with the exit status. */
  ended: Promise<number | null>;
}

export function spawnDaemon(args: readonly string[]): DaemonProcess {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, '--', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  const note = (piece: Buffer): void => {
    text += piece.toString();
  };
  child.stdout?.on('data', note);
  child.stderr?.on('data', note);
  const ended = once(child, 'close').then(() => child.exitCode);
  return { child, log: () => text, ended };
}

/** Resolves when it reports that it is ready; rejects with its log when it ends before. */
export async function startDaemon(args: readonly string[]): Promise<DaemonProcess> {
  const daemon = spawnDaemon(args);
  const ready = new Promise<void>((resolve) => {
    daemon.child.stderr?.on('data', () => {
      if (daemon.log().includes(' is ready ')) resolve();
    });
  });
  const failed = daemon.ended.then((status) => {
    throw new Error(`the daemon ended with ${status}: ${daemon.log()}`);
  });
  failed.catch(() => {}); // later the test ends it on purpose
  await Promise.race([ready, failed]);
  return daemon;
}
