/** The FIFOs of one command: made, opened, and gone again when it has ended. */
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

  /** Reading ends are opened before the command is made: it never finds a FIFO without a reader. */
  constructor(
    settings: EngineSettings,
    files: PipeFiles,
    ids: { container: string; exec: string },
    wanted: ExecStreams,
  ) {
    this.#files = files;
    mkdirSync(ioDirectory(settings, ids.container), { recursive: true, mode: 0o700 });
    const make = (stream: StreamName): string => {
      if (!wanted[stream]) return '';
      const path = execIoPath(settings, ids.container, ids.exec, stream);
      files.makeFifo(path);
      return path;
    };
    this.stdio = { stdin: make('stdin'), stdout: make('stdout'), stderr: make('stderr') };
    this.stdout = this.#reader(this.stdio.stdout);
    this.stderr = this.#reader(this.stdio.stderr);
  }

  /** After the command was made: by then the shim has opened its end. */
  openStdin(): Socket | undefined {
    if (this.stdio.stdin === '') return undefined;
    const pipe = new Socket({ fd: this.#files.openFifo(this.stdio.stdin, 'write'), readable: false, writable: true });
    pipe.on('error', () => pipe.destroy()); // EPIPE: the command is gone
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
