/** Writes captured packets to a file, to stdout, or to tcpdump, which prints them as text. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { reasonOf } from '@netyard/core';
import { install } from '../doctor/finding.ts';
import { openHost } from '../doctor/host.ts';
import { Failure } from '../failure.ts';
import type { Context } from '../program/context.ts';
import { writeAll } from '../terminal/stream.ts';

export interface PacketSink {
  /** Resolves when more can be written. Does nothing once the reader has exited. */
  write(bytes: Uint8Array): Promise<void>;
  /** Resolves when all data is written. */
  close(): Promise<void>;
  /** Resolves when the reader has exited. */
  gone: Promise<void>;
}

const never = new Promise<void>(() => {});

/** Checks the destination; the returned function opens it, once the capture has started. */
export function openSink(context: Context, path: string): () => Promise<PacketSink> {
  if (path === '') return openTcpdump(context);
  if (path !== '-') {
    const file = resolve(context.cwd, path);
    checkFolder(file);
    return () => openFile(file, path);
  }
  if (context.stdout.isTTY)
    throw new Failure('cowardly refusing to write packets to a terminal. Use -w FILE or redirect');
  return async () => ({
    write: (bytes) => writeAll(context.stdout, bytes),
    close: async () => {},
    gone: never,
  });
}

/** Throws with the docker CLI's message for output files. */
function checkFolder(file: string): void {
  const folder = dirname(file);
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    throw new Failure(`invalid output path: directory ${JSON.stringify(folder)} does not exist`);
}

const cannotWrite = (path: string, error: unknown): Failure => new Failure(`cannot write ${path}: ${reasonOf(error)}`);

async function openFile(path: string, asGiven: string): Promise<PacketSink> {
  const file = await open(path, 'w').catch((error: unknown) => {
    throw cannotWrite(asGiven, error);
  });
  return {
    write: (bytes) =>
      file.writeFile(bytes).catch((error: unknown) => {
        throw cannotWrite(asGiven, error);
      }),
    close: () => file.close(),
    gone: never,
  };
}

function openTcpdump(context: Context): () => Promise<PacketSink> {
  const program = openHost(context.env).find('tcpdump');
  if (program === undefined)
    throw new Failure(
      `tcpdump, which prints the packets, is not installed\n${install('tcpdump')}; or write a file with -w`,
    );
  return async () => startTcpdump(context, program);
}

/** In a separate session, because Ctrl-C must stop the capture, not tcpdump, which still has packets to print. */
function startTcpdump(context: Context, program: string): PacketSink {
  const child = spawn(program, ['-nn', '-l', '-r', '-'], { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  child.stdout.pipe(context.stdout, { end: false });
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (!line.startsWith('reading from file ')) context.warn(line);
  });
  child.stdin.on('error', () => undefined); // it has exited: `gone` resolves
  const ended = once(child, 'close');
  const gone = ended.then(() => undefined);
  const isGone = (): boolean => child.exitCode !== null || child.signalCode !== null;
  return {
    write: async (bytes) => {
      if (isGone() || child.stdin.write(bytes)) return;
      await Promise.race([once(child.stdin, 'drain'), gone]);
    },
    close: async () => {
      child.stdin.end();
      await ended;
    },
    gone,
  };
}
