/** Reads files, programs and command output of the host, for `doctor`. Changes nothing. */
import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '@netyard/core';

export interface Host {
  /** A file's text without the final newline, or undefined. */
  read(path: string): string | undefined;
  exists(path: string): boolean;
  list(path: string): string[];
  /** Full path of a program, or undefined. */
  find(program: string): string | undefined;
  /** Output of a program, or undefined if it failed. */
  output(program: string, ...args: string[]): Promise<string | undefined>;
  isRoot: boolean;
  /** Rules of foreign forward chains that drop the bridges' packets, or why the chains cannot be read. */
  forwardBlocks(bridges: readonly string[]): Promise<{ text: string; fix: string }[] | string>;
}

export function openHost(env: Readonly<Record<string, string | undefined>>): Host {
  // In a daemon's PATH, but often not in a user's.
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

/** Undefined if it fails: a missing or unreadable file is a result here. */
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
