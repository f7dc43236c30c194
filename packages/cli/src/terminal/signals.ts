/** Signals and window sizes of this terminal, passed on to a process elsewhere. */
import type { Context } from '../program/context.ts';

const proxied = [
  'SIGINT',
  'SIGTERM',
  'SIGHUP',
  'SIGQUIT',
  'SIGUSR1',
  'SIGUSR2',
  'SIGCONT',
  'SIGALRM',
  'SIGTSTP',
] as const;

/** Sends each signal on, until the returned function is called. A process that is gone needs no signal. */
export function proxySignals(send: (signal: string) => Promise<void>): () => void {
  const handlers = proxied.map((signal) => {
    const handler = (): void => void send(signal.replace(/^SIG/, '')).catch(() => undefined);
    process.on(signal, handler);
    return () => void process.off(signal, handler);
  });
  return () => {
    for (const stop of handlers) stop();
  };
}

/** Tells the size now and at each change. A process that has no terminal yet gets the size with the next change. */
export function followSize(context: Context, resize: (rows: number, columns: number) => Promise<void>): () => void {
  const tell = (): void => {
    const { rows, columns } = context.stdout;
    if (rows && columns) resize(rows, columns).catch(() => undefined);
  };
  tell();
  process.on('SIGWINCH', tell);
  return () => void process.off('SIGWINCH', tell);
}

/** Rows and columns, or nothing when this is no terminal. */
export function sizeOf({ stdout }: Context): [number, number] | undefined {
  return stdout.isTTY && stdout.rows && stdout.columns ? [stdout.rows, stdout.columns] : undefined;
}
