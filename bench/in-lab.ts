/** A lab for the time of some work; it goes down with the work's end, its failure, Ctrl-C and SIGTERM. */
import { bringDown, bringUp, execInHost, type HostHandle, parseLab } from '@netyard/lab';

export const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** Throws what the work throws, or `interrupted`; either way after the lab is gone. */
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

/** Runs a command in a lab host to its end and gives what it printed. Throws what it said when it failed. */
export async function output(host: HostHandle, command: readonly string[]): Promise<string> {
  const child = execInHost(host, command, { environment: process.env, folder: '/', stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  let complaint = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaint += text;
  });
  const status = await new Promise<number | null>((resolve, reject) =>
    child.once('error', reject).once('close', resolve),
  );
  if (status === 0) return said;
  throw new Error(`${host.host}: ${command.join(' ')}: status ${status}\n${said}${complaint}`.trimEnd());
}
