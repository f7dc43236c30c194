/** For tests of root file systems: a data root on its own tmpfs, layers with given files, tar archives. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before } from 'node:test';
import type { RootFilesystems } from '@netyard/engine';
import { mount, unmount } from '@netyard/kernel';
import { openRootFilesystems } from '@netyard/runtime';
import { type DescribeOptions, describeTree, differencesOf, type HostTestOptions } from '@netyard/testkit';
import { pack } from 'tar-stream';

/** The container of `withContainer`. */
export const containerId = 'f'.repeat(64);

/** Options of `writeArchive` that allow a file to replace a directory. */
export const plain = { noOverwriteDirNonDir: false };

class RootfsHost {
  #folder = '';
  #rootfs: RootFilesystems | undefined;

  open(): void {
    this.#folder = mkdtempSync(join(tmpdir(), 'netyard-rootfs-'));
    mount({ source: 'tmpfs', target: this.#folder, type: 'tmpfs' }); // overlayfs cannot be mounted on another overlay
    this.#rootfs = openRootFilesystems({ dataRoot: this.#folder });
  }

  close(): void {
    unmount(this.#folder, { lazy: true });
    rmSync(this.#folder, { recursive: true });
  }

  /** The data root. */
  get folder(): string {
    return this.#folder;
  }

  get rootfs(): RootFilesystems {
    if (!this.#rootfs) throw new Error('used before the first test');
    return this.#rootfs;
  }

  /** A new folder in the data root. */
  emptyFolder(name: string): string {
    const path = join(this.#folder, name);
    mkdirSync(path);
    return path;
  }

  /** Creates an unpacked layer. @returns its chain id */
  layer(digit: string, files: Record<string, string>): string {
    const home = join(this.#folder, 'overlay/layers', digit.repeat(64));
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(join(home, 'diff', path, '..'), { recursive: true });
      writeFileSync(join(home, 'diff', path), content);
    }
    writeFileSync(join(home, 'size'), String(Object.values(files).join('').length));
    return `sha256:${digit.repeat(64)}`;
  }

  /** Runs with the mounted root of a container whose image has these files. */
  async withContainer(
    files: Record<string, string>,
    work: (root: string, layers: string[]) => Promise<void>,
  ): Promise<void> {
    const layers = [this.layer('1', files)];
    await this.rootfs.create(containerId, layers);
    try {
      await work(await this.rootfs.mount(containerId, layers, false), layers);
    } finally {
      await this.rootfs.remove(containerId);
      rmSync(join(this.#folder, 'overlay/layers', '1'.repeat(64)), { recursive: true });
      rmSync(join(this.#folder, 'overlay/init', '1'.repeat(64)), { recursive: true });
    }
  }
}

/** A host for all tests of the calling file. */
export function useRootfsHost(fresh: HostTestOptions): RootfsHost {
  const host = new RootfsHost();
  before(() => {
    if (fresh.skip === false) host.open();
  });
  after(() => {
    if (fresh.skip === false) host.close();
  });
  return host;
}

export type TarMember = Parameters<ReturnType<typeof pack>['entry']>[0];

/** A tar archive of these members; `body` is the content of each file. */
export async function tar(members: readonly TarMember[], body = 'new'): Promise<Readable> {
  const archive = pack();
  for (const member of members) {
    if (member.type === undefined) archive.entry(member, body);
    else archive.entry(member);
  }
  archive.finalize();
  return Readable.from(archive as AsyncIterable<Uint8Array>);
}

export async function bytesOfStream(stream: NodeJS.ReadableStream): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream as Readable) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** `tar tv` of an archive, without sizes and times. */
export async function listing(stream: NodeJS.ReadableStream): Promise<string[]> {
  const text = execFileSync('tar', ['tvf', '-', '--numeric-owner'], {
    input: await bytesOfStream(stream),
    encoding: 'utf8',
    env: { TZ: 'UTC', PATH: process.env['PATH'] },
  });
  return text
    .trim()
    .split('\n')
    .map((line) => line.replace(/\s+\d+ \d{4}-\d\d-\d\d \d\d:\d\d /, ' '));
}

/** Compares the folder `top` of two roots. */
export function assertSameTop(copy: string, original: string, options: DescribeOptions = {}): void {
  const [actual, expected] = [copy, original].map((root) => describeTree(join(root, 'top'), options));
  if (actual && expected) assert.deepEqual(differencesOf(actual, expected), []);
}
