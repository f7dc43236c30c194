/** How `doctor` looks at a host: files, programs, command output. Reads; changes nothing. */
import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '@netyard/core';

export interface Host {
  /** A file's text without its last line end, or undefined. */
  read(path: string): string | undefined;
  exists(path: string): boolean;
  list(path: string): string[];
  /** Full path of a program, or undefined. */
  find(program: string): string | undefined;
  /** What a program printed, or undefined when it could not run or failed. */
  output(program: string, ...args: string[]): Promise<string | undefined>;
  isRoot: boolean;
  /** What drops the bridges' packets in other programs' forward chains, or why the chains cannot be read. */
  forwardBlocks(bridges: readonly string[]): Promise<{ text: string; fix: string }[] | string>;
}

export function openHost(env: Readonly<Record<string, string | undefined>>): Host {
  // Daemons have them, a user's shell often not.
  const folders = [...(env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin', '/usr/local/sbin'];
  const find = (program: string): string | undefined =>
    folders.map((folder) => join(folder, program)).find((path) => path.startsWith('/') && isExecutable(path));
  return {
    read: (path) => attempt(() => readFileSync(path, 'utf8').trimEnd()),
    exists: existsSync,
    list: (path) => attempt(() => readdirSync(path)) ?? [],
    find,
    output: (program, ...args) => {
      const path = find(program);
      if (path === undefined) return Promise.resolve(undefined);
      return new Promise((resolve) => {
        execFile(path, args, { timeout: 5000, maxBuffer: 64 * 1024 * 1024 }, (error, stdout) =>
          resolve(error ? undefined : stdout.trimEnd()),
        );
      });
    },
    isRoot: process.getuid?.() === 0,
    forwardBlocks: readForwardBlocks,
  };
}

async function readForwardBlocks(bridges: readonly string[]): Promise<{ text: string; fix: string }[] | string> {
  try {
    const { openKernel } = await import('@netyard/kernel');
    const { describeBlock, findForwardingBlocks } = await import('@netyard/network');
    const kernel = openKernel();
    try {
      const blocks = await findForwardingBlocks(kernel, bridges);
      return blocks.map((block) => ({ text: describeBlock(block), fix: block.fix }));
    } finally {
      kernel.close();
    }
  } catch (error) {
    return messageOf(error);
  }
}

/** Not there, or not readable: to a doctor that is an answer. */
function attempt<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}

const isExecutable = (path: string): boolean =>
  attempt(() => {
    accessSync(path, constants.X_OK);
    return true;
  }) ?? false;
