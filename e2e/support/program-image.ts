/** An image with Node and a program of `e2e/programs`, for images that no registry provides here. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { TestHost } from './host.ts';

const programs = join(import.meta.dirname, '../programs');

/** Paths of the libraries of a program, the dynamic loader included. */
function librariesOf(program: string): string[] {
  const lines = execFileSync('ldd', [program], { encoding: 'utf8' }).split('\n');
  return lines.flatMap((line) => /(?:=> |^\s*)(\/\S+) \(0x/.exec(line)?.[1] ?? []);
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** Writes the layer: Node at /node with its libraries, and the programs in /programs. */
async function writeLayer(file: string): Promise<void> {
  const node = await realpath(process.execPath);
  const renamed = ['--transform', `s,^${node.slice(1)}$,node,`, '--transform', `s,^${programs.slice(1)},programs,`];
  const paths = [node, programs, ...librariesOf(node)].map((path) => path.slice(1));
  execFileSync('tar', ['-cf', file, '--dereference', ...renamed, '-C', '/', ...paths]);
}

export interface ProgramImage {
  image: string;
  /** A file of `e2e/programs` without `.ts`. */
  program: string;
  port: number;
  labels?: Record<string, string>;
}

async function writeArchive(folder: string, { image, program, port, labels = {} }: ProgramImage): Promise<string> {
  const layer = join(folder, 'layer.tar');
  await writeLayer(layer);
  const config = {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: {
      Entrypoint: ['/node', '--disable-warning=MODULE_TYPELESS_PACKAGE_JSON', `/programs/${program}.ts`],
      ExposedPorts: { [`${port}/tcp`]: {} },
      Labels: labels,
    },
    rootfs: { type: 'layers', diff_ids: [`sha256:${await sha256(layer)}`] },
    history: [{ created_by: 'netyard tests' }],
  };
  await writeFile(join(folder, 'config.json'), JSON.stringify(config));
  const manifest = [{ Config: 'config.json', RepoTags: [image], Layers: ['layer.tar'] }];
  await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest));
  const archive = join(folder, 'image.tar');
  execFileSync('tar', ['-cf', archive, '-C', folder, 'config.json', 'manifest.json', 'layer.tar']);
  return archive;
}

/** Loads an image that runs a program. */
export async function loadProgram(hosts: readonly TestHost[], definition: ProgramImage): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'netyard-image-'));
  try {
    const archive = await writeArchive(folder, definition);
    for (const host of hosts) await host.docker('load', '-q', '-i', archive);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
