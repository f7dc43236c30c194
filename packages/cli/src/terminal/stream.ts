/** Connects a process's streams with this terminal: input, output, raw mode, detach keys. */
import type { Duplex } from 'node:stream';
import { demultiplex, type Hijacked, rawOutput } from '@netyard/client';
import type { Context, Output } from '../program/context.ts';
import { DetachScanner, defaultDetachKeys, parseDetachKeys } from './detach.ts';

export interface StreamOptions {
  tty: boolean;
  stdin: boolean;
  /** Detect detach keys in the input. */
  detachKeys: string | undefined;
}

export type StreamEnd = 'ended' | 'detached';

/** Runs until the process's output ends or the detach keys are typed. */
export async function runStreams(context: Context, hijacked: Hijacked, options: StreamOptions): Promise<StreamEnd> {
  const restore = options.stdin && options.tty ? enterRawMode(context) : () => undefined;
  const input = options.stdin ? pumpInput(context, hijacked.stream, options) : undefined;
  if (!options.stdin) hijacked.stream.end();
  try {
    const output = pumpOutput(context, hijacked.stream, options.tty).then((): StreamEnd => 'ended');
    return await (input ? Promise.race([output, input.detached]) : output);
  } finally {
    input?.stop();
    restore();
    hijacked.stream.destroy();
  }
}

function enterRawMode({ stdin }: Context): () => void {
  if (!stdin.isTTY || !stdin.setRawMode) return () => undefined;
  stdin.setRawMode(true);
  return () => void stdin.setRawMode?.(false);
}

/** The end of our input half-closes the connection; output continues. */
function pumpInput(
  { stdin }: Context,
  stream: Duplex,
  options: StreamOptions,
): { detached: Promise<'detached'>; stop: () => void } {
  const { promise: detached, resolve } = Promise.withResolvers<'detached'>();
  const scanner = options.tty ? new DetachScanner(parseDetachKeys(options.detachKeys || defaultDetachKeys)) : undefined;
  const onData = (chunk: Buffer): void => {
    const result = scanner?.feed(chunk) ?? { forward: chunk, detached: false };
    if (result.forward.length > 0 && !stream.write(result.forward)) {
      stdin.pause();
      stream.once('drain', () => stdin.resume());
    }
    if (result.detached) resolve('detached');
  };
  const onEnd = (): void => void stream.end();
  stream.on('error', () => undefined); // the process has exited; its output ends too
  stdin.on('data', onData);
  stdin.on('end', onEnd);
  const stop = (): void => {
    stdin.off('data', onData);
    stdin.off('end', onEnd);
    stdin.pause();
    stdin.unref?.();
  };
  return { detached, stop };
}

async function pumpOutput(context: Context, stream: Duplex, tty: boolean): Promise<void> {
  const frames = tty ? rawOutput(stream) : demultiplex(stream);
  for await (const frame of frames)
    await writeAll(frame.stream === 'stderr' ? context.stderr : context.stdout, frame.data);
}

/** Waits while the reader is slow. */
export async function writeAll(output: Output, data: Uint8Array | string): Promise<void> {
  if (output.write(data)) return;
  await new Promise((resolve) => output.once('drain', resolve));
}
