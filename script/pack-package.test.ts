/** Installs packed packages in a folder outside of the repository, and runs the examples of their READMEs there. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { npmPack, packedManifest, packPackage } from './pack-package.ts';

const top = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'netyard-packed-'));
const own = ['core', 'kernel', 'dns'];

const run = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/** The packages below `modules` that these packages need, and that are installed (optional ones may not be). */
function dependenciesOf(manifestPath: string): string[] {
  const { dependencies = {}, optionalDependencies = {} } = JSON.parse(readFileSync(manifestPath, 'utf8'));
  return Object.keys({ ...dependencies, ...optionalDependencies })
    .filter((name) => !name.startsWith('@netyard/'))
    .map((name) => join(top, 'node_modules', name))
    .filter((path) => existsManifest(path))
    .flatMap((path) => [path, ...dependenciesOf(join(path, 'package.json'))]);
}

function existsManifest(path: string): boolean {
  try {
    return readFileSync(join(path, 'package.json')).length > 0;
  } catch {
    return false;
  }
}

/** Packs an installed package. npm 9 runs `prepare` of a folder in spite of --ignore-scripts, so the copy has no scripts. */
function packInstalled(path: string): string {
  const copy = mkdtempSync(join(tmpdir(), 'netyard-installed-'));
  try {
    cpSync(path, copy, { recursive: true });
    const { scripts: _scripts, ...manifest } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
    writeFileSync(join(copy, 'package.json'), JSON.stringify(manifest));
    return npmPack(copy, folder);
  } finally {
    rmSync(copy, { recursive: true });
  }
}

const examples = (name: string, language: string): string[] => {
  const readme = readFileSync(join(folder, 'node_modules/@netyard', name, 'README.md'), 'utf8');
  const pattern = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm');
  return [...readme.matchAll(pattern)].map((match) => match[1] ?? '');
};

before(() => {
  writeFileSync(join(folder, 'package.json'), '{ "name": "outside", "private": true, "type": "module" }');
  const manifests = own.map((name) => join(top, 'packages', name, 'package.json'));
  const others = [...new Set(manifests.flatMap(dependenciesOf))].map(packInstalled);
  const packed = own.map((name) => packPackage(name, folder));
  run('npm', 'install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', ...packed, ...others);
});
after(() => rmSync(folder, { recursive: true }));

test('a packed package is JavaScript with type declarations', () => {
  assert.deepEqual(packedManifest({ name: 'a', private: true, exports: { '.': './src/index.ts' } }), {
    name: 'a',
    exports: { '.': { types: './dist/index.d.ts', default: './dist/index.js' } },
    files: ['dist'],
  });
  for (const name of own) {
    const files = run('find', `node_modules/@netyard/${name}`, '-name', '*.ts', '-not', '-name', '*.d.ts');
    assert.equal(files, '', 'no TypeScript source');
    const scripts = globSync(join(folder, 'node_modules/@netyard', name, 'dist/**/*.js'));
    const references = scripts.filter((script) => /\.ts['"]/.test(readFileSync(script, 'utf8')));
    assert.ok(scripts.length > 0);
    assert.deepEqual(references, [], 'no reference to one');
  }
});

test('the kernel package runs the examples of its README that need no privileges', () => {
  const example = examples('kernel', 'ts').find((text) => text.includes('printShell('));
  writeFileSync(join(folder, 'kernel.ts'), example ?? '');
  assert.equal(run(process.execPath, 'kernel.ts'), `${examples('kernel', 'sh')[0]}\n`);
});

test('the kernel package opens its libraries and reads the kernel', () => {
  const script =
    "import { openKernel } from '@netyard/kernel'; const kernel = openKernel(); console.log((await kernel.listLinks()).some(({ name }) => name === 'lo')); kernel.close();";
  assert.equal(run(process.execPath, '--input-type=module', '-e', script), 'true\n');
});

test('the dns package runs the example of its README', () => {
  writeFileSync(join(folder, 'dns.ts'), examples('dns', 'ts')[0] ?? '');
  assert.equal(run(process.execPath, 'dns.ts'), '192.168.12.2\n');
});

test('the type declarations are complete', () => {
  const options = { strict: true, module: 'nodenext', target: 'es2024', noEmit: true, types: ['node'] };
  const compilerOptions = { ...options, typeRoots: [join(top, 'node_modules/@types')] };
  writeFileSync(join(folder, 'all.ts'), own.map((name) => `import '@netyard/${name}';\n`).join(''));
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['all.ts', 'kernel.ts'] }));
  run(join(top, 'node_modules/.bin/tsc'), '-p', '.');
});
