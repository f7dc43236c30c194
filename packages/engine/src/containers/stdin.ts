/**
 * Stdin of running containers: one FIFO each, written to by every attached client. It stays open while the container
 * runs, also when no client is attached, unless the container was created with StdinOnce (`docker run -i`).
 */
import { rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { Writable } from 'node:stream';
import type { ContainerRecord } from '../model.ts';
import { ioPath } from '../paths.ts';
import type { Runtime } from '../ports.ts';
import type { EngineSettings, PipeFiles } from '../settings.ts';

export interface StdinOptions {
  settings: EngineSettings;
  files: PipeFiles;
  runtime: Pick<Runtime, 'closeStdin'>;
}

export class StdinPipes {
  readonly #options: StdinOptions;
  readonly #pipes = new Map<string, Socket>();
  readonly #waiting = new Map<string, Set<(pipe: Socket | undefined) => void>>();

  constructor(options: StdinOptions) {
    this.#options = options;
  }

  /** Creates the FIFO; returns its path for the shim, or '' for a container without stdin. */
  prepare(record: ContainerRecord): string {
    if (!record.config.openStdin) return '';
    const path = ioPath(this.#options.settings, record.id, 'stdin');
    rmSync(path, { force: true });
    this.#options.files.makeFifo(path);
    return path;
  }

  /** After task creation: by then the shim has opened its end (before, open would fail with ENXIO). */
  connect(record: ContainerRecord): void {
    if (!record.config.openStdin) return;
    const fd = this.#options.files.openFifo(ioPath(this.#options.settings, record.id, 'stdin'), 'write');
    const pipe = new Socket({ fd, readable: false, writable: true });
    pipe.on('error', () => pipe.destroy()); // EPIPE: the container has ended
    this.#pipes.set(record.id, pipe);
    this.#notify(record.id, pipe);
  }

  /** The run has ended. */
  disconnect(id: string): void {
    this.#pipes.get(id)?.destroy();
    this.#pipes.delete(id);
    this.#notify(id, undefined);
  }

  disconnectAll(): void {
    for (const id of [...this.#pipes.keys()]) this.disconnect(id);
  }

  /**
   * The stdin of one attached client. Writes wait until the container runs and are dropped after it has ended. Its end
   * closes the container's stdin if StdinOnce is set, but never that of a terminal, whose session would end.
   */
  writer(record: ContainerRecord): Writable {
    const { id, config } = record;
    return new Writable({
      highWaterMark: 256 * 1024, // a connection reads 64 KiB at once
      write: (chunk: Buffer, _encoding, done) => {
        this.#whenConnected(id, (pipe) => {
          if (!pipe || pipe.destroyed || pipe.writableEnded) return done();
          pipe.write(chunk, () => done());
        });
      },
      final: (done) => {
        if (!config.stdinOnce || config.tty) return done();
        this.#whenConnected(id, (pipe) => void this.#close(id, pipe).then(() => done(), done));
      },
    });
  }

  /** Closes the daemon's end first, then the shim's: only then does the container see the end of file. */
  async #close(id: string, pipe: Socket | undefined): Promise<void> {
    if (!pipe || pipe.destroyed) return;
    await new Promise<void>((resolve) => {
      pipe.once('close', () => resolve());
      pipe.end(() => pipe.destroy());
    });
    await this.#options.runtime.closeStdin(id);
  }

  #whenConnected(id: string, use: (pipe: Socket | undefined) => void): void {
    const pipe = this.#pipes.get(id);
    if (pipe) {
      use(pipe);
      return;
    }
    const waiting = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiting);
    waiting.add(use);
  }

  #notify(id: string, pipe: Socket | undefined): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    for (const use of waiting ?? []) use(pipe);
  }
}
