/** The FIFOs of one exec process: created, opened, and removed when it has ended. */
import { mkdirSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { execIoPath, ioDirectory, type StreamName } from '../paths.ts';
import type { TaskStdio } from '../ports.ts';
import type { EngineSettings, PipeFiles } from '../settings.ts';

export interface ExecStreams {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
}

export class ExecPipes {
  readonly stdio: TaskStdio;
  readonly stdout: Socket | undefined;
  readonly stderr: Socket | undefined;
  readonly #files: PipeFiles;

  /** Opens the reading ends before the process is created, so that it never finds a FIFO without a reader. */
  constructor(
    settings: EngineSettings,
    files: PipeFiles,
    ids: { container: string; exec: string },
    requested: ExecStreams,
  ) {
    this.#files = files;
    mkdirSync(ioDirectory(settings, ids.container), { recursive: true, mode: 0o700 });
    const make = (stream: StreamName): string => {
      if (!requested[stream]) return '';
      const path = execIoPath(settings, ids.container, ids.exec, stream);
      files.makeFifo(path);
      return path;
    };
    this.stdio = { stdin: make('stdin'), stdout: make('stdout'), stderr: make('stderr') };
    this.stdout = this.#reader(this.stdio.stdout);
    this.stderr = this.#reader(this.stdio.stderr);
  }

  /** After the process is created: by then the shim has opened its end. */
  openStdin(): Socket | undefined {
    if (this.stdio.stdin === '') return undefined;
    const pipe = new Socket({ fd: this.#files.openFifo(this.stdio.stdin, 'write'), readable: false, writable: true });
    pipe.on('error', () => pipe.destroy()); // EPIPE: the process has ended
    return pipe;
  }

  remove(): void {
    for (const path of Object.values(this.stdio)) if (path !== '') rmSync(path, { force: true });
  }

  destroy(): void {
    this.stdout?.destroy();
    this.stderr?.destroy();
    this.remove();
  }

  #reader(path: string): Socket | undefined {
    if (path === '') return undefined;
    return new Socket({ fd: this.#files.openFifo(path, 'read'), readable: true, writable: false });
  }
}
