/**
 * Packs a package for use outside of this repository: JavaScript and type declarations, since Node does not strip types
 * below node_modules.
 *
 *     node script/pack-package.ts NAME FOLDER      # writes FOLDER/netyard-NAME-VERSION.tgz and prints its path
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const top = join(import.meta.dirname, '..');

type Manifest = Record<string, unknown>;

/** The manifest of the packed package: without `private`, and with the built entry point. Pure. */
export function packedManifest({ private: _private, ...manifest }: Manifest): Manifest {
  return { ...manifest, exports: { '.': { types: './dist/index.d.ts', default: './dist/index.js' } }, files: ['dist'] };
}

export function packPackage(name: string, folder: string): string {
  const source = join(top, 'packages', name);
  const staging = mkdtempSync(join(tmpdir(), 'netyard-pack-'));
  try {
    build(source, staging);
    const manifest = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as Manifest;
    writeFileSync(join(staging, 'package.json'), JSON.stringify(packedManifest(manifest), undefined, 2));
    const readme = join(source, 'README.md');
    if (existsSync(readme)) copyFileSync(readme, join(staging, 'README.md'));
    copyFileSync(join(top, 'LICENSE'), join(staging, 'LICENSE'));
    return npmPack(staging, folder);
  } finally {
    rmSync(staging, { recursive: true });
  }
}

/** Packs a folder with a manifest; returns the path of the archive. Needs no network. */
export function npmPack(source: string, folder: string): string {
  const args = ['pack', source, '--silent', '--ignore-scripts', '--offline', '--pack-destination', folder];
  return join(folder, execFileSync('npm', args, { encoding: 'utf8' }).trim());
}

function build(source: string, staging: string): void {
  const [rootDir, outDir] = [join(source, 'src'), join(staging, 'dist')];
  const compilerOptions = {
    ...{ noEmit: false, declaration: true, rewriteRelativeImportExtensions: true, rootDir, outDir },
    typeRoots: [join(top, 'node_modules/@types')],
  };
  const project = {
    ...{ extends: join(top, 'tsconfig.json'), compilerOptions },
    ...{ include: [`${rootDir}/**/*.ts`], exclude: [`${rootDir}/**/*.test.ts`] },
  };
  writeFileSync(join(staging, 'tsconfig.json'), JSON.stringify(project));
  execFileSync(join(top, 'node_modules/.bin/tsc'), ['-p', staging], { stdio: ['ignore', 2, 2] });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [name, folder] = process.argv.slice(2);
  if (name === undefined || folder === undefined) {
    console.error('usage: node script/pack-package.ts NAME FOLDER');
    process.exitCode = 2;
  } else console.log(packPackage(name, folder));
}
