/** Runs docker and netyard with the same arguments, each on a fake daemon; returns requests, output and exit code. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import type { Clock } from '@netyard/core';
import { main } from '../src/netyard.ts';
import { type FakeDaemon, openFakeDaemon, type Recorded } from './fake-daemon.ts';

export interface Result {
  status: number;
  stdout: string;
  stderr: string;
  requests: Recorded[];
}

export interface RunOptions {
  env?: Record<string, string>;
  stdin?: string;
  cwd?: string;
}

/** Why comparisons with docker are skipped, or false. */
export const withoutDocker: string | false = (() => {
  const found = spawnSync('docker', ['version', '--format', '{{.Client.Version}}'], { encoding: 'utf8' });
  const version = found.stdout?.trim() ?? '';
  if (found.error || version === '') return 'the docker command is not here to compare with';
  return version.startsWith('28.') ? false : `compared with docker 28, here is ${version}`;
})();

const systemClock: Clock = { now: () => BigInt(Date.now()) * 1_000_000n };

export class Both {
  readonly daemon: FakeDaemon;
  /** An empty configuration folder, so that the user's own settings have no effect. */
  readonly home: string;

  private constructor(daemon: FakeDaemon) {
    this.daemon = daemon;
    this.home = mkdtempSync(join(tmpdir(), 'netyard-cli-home-'));
  }

  static async open(): Promise<Both> {
    return new Both(await openFakeDaemon());
  }

  async close(): Promise<void> {
    await this.daemon.close();
    rmSync(this.home, { recursive: true });
  }

  #env(more: Record<string, string> = {}): Record<string, string> {
    return { PATH: process.env['PATH'] ?? '', HOME: this.home, DOCKER_HOST: `unix://${this.daemon.socket}`, ...more };
  }

  async docker(args: readonly string[], options: RunOptions = {}): Promise<Result> {
    this.daemon.requests.length = 0;
    const child = spawn('docker', args, {
      env: this.#env(options.env),
      cwd: options.cwd,
      stdio: 'pipe',
      timeout: 120_000,
    });
    child.stdin.on('error', () => undefined); // it may exit without reading
    child.stdin.end(options.stdin ?? '');
    const [stdout, stderr, status] = await Promise.all([
      child.stdout.toArray(),
      child.stderr.toArray(),
      new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? -1))),
    ]);
    const text = (chunks: Buffer[]): string => Buffer.concat(chunks).toString('utf8');
    return { status, stdout: text(stdout), stderr: text(stderr), requests: [...this.daemon.requests] };
  }

  /** Runs in this process, which is much faster than a new one. */
  async netyard(args: readonly string[], options: RunOptions = {}): Promise<Result> {
    this.daemon.requests.length = 0;
    const stdout = collector();
    const stderr = collector();
    const status = await main([...args], {
      stdin: Readable.from(options.stdin ? [Buffer.from(options.stdin)] : []),
      stdout: stdout.stream,
      stderr: stderr.stream,
      env: this.#env(options.env),
      clock: systemClock,
      cwd: options.cwd ?? process.cwd(),
    });
    return { status, stdout: stdout.text(), stderr: stderr.text(), requests: [...this.daemon.requests] };
  }
}

function collector(): { stream: Writable; text: () => string } {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  return { stream, text: () => Buffer.concat(chunks).toString('utf8') };
}

/** Replaces the program's name, the only intended difference between messages. */
export const asNetyard = (text: string): string =>
  text
    .replaceAll('docker:', 'netyard:')
    .replaceAll("'docker", "'netyard")
    .replaceAll('  docker ', '  netyard ')
    .replaceAll('command: docker', 'command: netyard')
    .replaceAll('Docker daemon', 'Netyard daemon');
