/** A lab for the duration of some work. It is removed when the work ends or fails, on Ctrl-C and on SIGTERM. */
import { bringDown, bringUp, execInHost, type HostHandle, parseLab } from '@netyard/lab';

export const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** Throws what the work throws, or `interrupted`, in both cases after the lab is removed. */
export async function inLab<T>(definition: string, work: () => Promise<T>): Promise<T> {
  const lab = parseLab(definition, 'bench');
  const interrupted = new AbortController();
  const stop = (): void => interrupted.abort(new Error('interrupted'));
  process.on('SIGINT', stop).on('SIGTERM', stop);
  const aborted = new Promise<never>((_, reject) =>
    interrupted.signal.addEventListener('abort', () => reject(interrupted.signal.reason), { once: true }),
  );
  try {
    await bringUp(lab, { say, signal: interrupted.signal });
    try {
      return await Promise.race([work(), aborted]);
    } finally {
      await bringDown(lab.name);
    }
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

/** Runs a command in a lab host. @returns its standard output; throws both outputs when it fails */
export async function output(host: HostHandle, command: readonly string[]): Promise<string> {
  const child = execInHost(host, command, { environment: process.env, folder: '/', stdio: ['ignore', 'pipe', 'pipe'] });
  let received = '';
  let errors = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    received += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const status = await new Promise<number | null>((resolve, reject) =>
    child.once('error', reject).once('close', resolve),
  );
  if (status === 0) return received;
  throw new Error(`${host.host}: ${command.join(' ')}: status ${status}\n${received}${errors}`.trimEnd());
}
