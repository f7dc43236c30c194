/** Writes an image archive that every engine loads (the format of `docker save` up to version 24), without an engine. */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { encodeEnd, encodeHeader, encodePadding, tarHeader } from '@netyard/core';

const layerCount = 3;
const fileSize = 10_000_000;
const smallFiles = 500;

/**
 * An image of three layers. Each one has 500 small files, and large ones with the content of Node's program, whose machine
 * code and texts compress as those of other images do.
 *
 * @param bytes content of all files, about
 */
export function writeImageArchive(path: string, tag: string, bytes: number): void {
  const program = readFileSync(process.execPath);
  const fd = openSync(path, 'w');
  try {
    const diffIds: string[] = [];
    const names = Array.from({ length: layerCount }, (_, index) => `${index}/layer.tar`);
    for (const [index, name] of names.entries()) {
      const layer = layerOf(index, bytes / layerCount, program);
      diffIds.push(`sha256:${createHash('sha256').update(layer).digest('hex')}`);
      for (const part of member(name, layer)) writeSync(fd, part);
    }
    const config = Buffer.from(JSON.stringify(configOf(diffIds)));
    const Config = `${createHash('sha256').update(config).digest('hex')}.json`;
    const manifest = Buffer.from(JSON.stringify([{ Config, RepoTags: [tag], Layers: names }]));
    const rest = [...member(Config, config), ...member('manifest.json', manifest), encodeEnd()];
    for (const part of rest) writeSync(fd, part);
  } finally {
    closeSync(fd);
  }
}

const configOf = (diffIds: readonly string[]): object => ({
  ...{ architecture: process.arch === 'arm64' ? 'arm64' : 'amd64', os: 'linux' },
  ...{ config: { Cmd: ['/program'] }, rootfs: { type: 'layers', diff_ids: diffIds } },
});

const member = (name: string, content: Uint8Array): Uint8Array[] => [
  ...[encodeHeader(tarHeader({ name, size: content.length })), content, encodePadding(content.length)],
];

function layerOf(index: number, bytes: number, program: Buffer): Buffer {
  const parts: Uint8Array[] = [];
  for (let file = 0; file < smallFiles; file += 1) {
    const at = (file * 7919) % (program.length - 4096);
    parts.push(...member(`small-${index}/${file}`, program.subarray(at, at + 2048)));
  }
  for (let left = bytes, at = 0; left > 0; left -= fileSize, at += fileSize) {
    const start = at % (program.length - fileSize);
    parts.push(...member(`large-${index}/${at}`, program.subarray(start, start + Math.min(left, fileSize))));
  }
  return Buffer.concat([...parts, encodeEnd()]);
}
