/** The bundle of the page: few files, listed at start, so that no request names a path. */
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { NetyardError } from '@netyard/core';

export interface PageFile {
  type: string;
  content: Buffer;
  /** Its name contains a hash of its content. */
  immutable: boolean;
}

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** By URL path. Throws `unavailable` if the bundle has not been built. */
export function readPageFiles(folder: string): ReadonlyMap<string, PageFile> {
  try {
    const assets = join(folder, 'assets');
    const names = readdirSync(assets).filter((name) => types[extname(name)] !== undefined);
    return new Map([
      ['/', readPageFile(join(folder, 'index.html'), false)],
      ...names.map((name): [string, PageFile] => [`/assets/${name}`, readPageFile(join(assets, name), true)]),
    ]);
  } catch (error) {
    throw new NetyardError('unavailable', `the topology page is not built: ${folder} has no index.html and assets`, {
      hint: 'run `script/bootstrap`',
      cause: error,
    });
  }
}

const readPageFile = (path: string, immutable: boolean): PageFile => ({
  type: types[extname(path)] ?? 'application/octet-stream',
  content: readFileSync(path),
  immutable,
});
