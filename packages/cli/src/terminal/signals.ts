/** Forwards signals and window sizes of this terminal to a process in a container. */
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

/** Forwards signals until the returned function is called. Ignores errors: the process may have exited. */
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

/** Sends the size now and at each change. Ignores errors: a process without a terminal yet gets the next change. */
export function followSize(context: Context, resize: (rows: number, columns: number) => Promise<void>): () => void {
  const send = (): void => {
    const { rows, columns } = context.stdout;
    if (rows && columns) resize(rows, columns).catch(() => undefined);
  };
  send();
  process.on('SIGWINCH', send);
  return () => void process.off('SIGWINCH', send);
}

/** Rows and columns; undefined if stdout is not a terminal. */
export function sizeOf({ stdout }: Context): [number, number] | undefined {
  return stdout.isTTY && stdout.rows && stdout.columns ? [stdout.rows, stdout.columns] : undefined;
}
