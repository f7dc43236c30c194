/**
 * Checks every import below packages/ against `import-table.ts`. Run by `npm run check:imports`.
 *
 * It matches text, not syntax: an import inside a string is found as well. It does not check imports of npm packages,
 * except those that the table restricts to folders.
 */
import { globSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  allowedImports,
  allowedInTests,
  forbiddenModules,
  impureModules,
  packageLayers,
  pureNames,
  restrictedModules,
} from './import-table.ts';

export interface FoundImport {
  line: number;
  module: string;
  kind: 'value' | 'type' | 'lazy';
}

const statement = /^[ \t]*(?:import|export)\s+(?:(type)\s+)?(?:[\w*{}\s,$]*?\bfrom\s*)?['"]([^'"\n]+)['"]/gm;
const dynamic = /\bimport\(\s*['"]([^'"\n]+)['"]\s*\)/g;

/** The imports and re-exports of a source text. Pure. */
export function parseImports(source: string): FoundImport[] {
  const text = source.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '));
  const lineOf = (index: number): number => text.slice(0, index).split('\n').length;
  const found: FoundImport[] = [];
  for (const match of text.matchAll(statement)) {
    const kind = match[1] === 'type' ? 'type' : 'value';
    found.push({ line: lineOf(match.index), module: match[2] ?? '', kind });
  }
  for (const match of text.matchAll(dynamic)) {
    // `import('x').Type` in a type position loads nothing, but is not exempt: write `import type`.
    found.push({ line: lineOf(match.index), module: match[1] ?? '', kind: 'lazy' });
  }
  return found.sort((a, b) => a.line - b.line);
}

/** Why an import of a file (path from the repository's root) is not allowed, or undefined. Pure. */
export function checkImport(file: string, found: FoundImport): string | undefined {
  const name = file.split('/')[1] ?? '';
  const allowed = allowedImports[name];
  if (!allowed) return `package ${name} is not in script/import-table.ts`;
  const isTest = /\.test\.ts$/.test(file) || file.split('/')[2] === 'test';
  return (
    checkRelative(file, found.module) ??
    checkLayer(file, isTest, found.module) ??
    checkPackage(name, isTest, found) ??
    checkRestricted(file, found.module) ??
    checkForbidden(name, isTest, found.module) ??
    checkPurity(file, isTest, found)
  );
}

function checkRelative(file: string, module: string): string | undefined {
  if (!module.startsWith('.')) return undefined;
  if (!/\.(tsx?|json|css)$/.test(module)) return `${module} needs its extension: write ${module}.ts`;
  const folder = file.split('/').slice(0, 2).join('/');
  const target = relative('/', resolve('/', dirname(file), module));
  if (target.startsWith(`${folder}/`)) return undefined;
  return `${module} is in another package; import its entry point, @netyard/NAME`;
}

/** Type imports count: a layer must not depend on the types of a higher one either. */
function checkLayer(file: string, isTest: boolean, module: string): string | undefined {
  const [, name = '', area, ...inside] = file.split('/');
  const settings = packageLayers[name];
  if (!settings || isTest || area !== 'src' || !module.startsWith('.')) return undefined;
  const { layers, shared } = settings;
  const target = relative('/src', resolve('/src', dirname(inside.join('/')), module)).split('/');
  const levelOf = (path: readonly string[]): number => {
    const [first = ''] = path;
    if (path.length > 1) return layers.indexOf(first);
    return shared.includes(first) ? -1 : layers.length;
  };
  const folder = [inside, target].find((path) => path.length > 1 && !layers.includes(path[0] ?? ''))?.[0];
  if (folder !== undefined) return `src/${folder} is no layer of ${name}; the layers are ${layers.join(', ')}`;
  if (levelOf(target) <= levelOf(inside)) return undefined;
  return `${inside.join('/')} is below ${target.join('/')}; from the lowest: ${[...shared, ...layers].join(', ')}, entry point`;
}

function checkPackage(name: string, isTest: boolean, { module, kind }: FoundImport): string | undefined {
  const match = /^@netyard\/([^/]+)(\/.*)?$/.exec(module);
  const other = match?.[1];
  if (other === undefined) return undefined;
  if (match?.[2] !== undefined) return `${module} is not an entry point; import @netyard/${other}`;
  if (other === name) return isTest ? undefined : `${name} imports its own entry point; use a relative path`;
  const allowed = allowedImports[name];
  if (allowed?.packages.includes(other)) return undefined;
  if (isTest && allowedInTests.includes(other)) return undefined;
  if (allowed?.types?.includes(other) && kind === 'type') return undefined;
  if (allowed?.lazy?.includes(other) && kind !== 'value') return undefined;
  return `${name} may not import @netyard/${other} as a ${kind}. ${describeAllowed(name)}`;
}

function checkRestricted(file: string, module: string): string | undefined {
  const folders = restrictedModules[module];
  if (!folders || folders.some((folder) => file.startsWith(folder))) return undefined;
  return `${module} may be imported only below ${folders.join(', ')}`;
}

function checkForbidden(name: string, isTest: boolean, module: string): string | undefined {
  if (isTest || !forbiddenModules[name]?.includes(module)) return undefined;
  return `${name} must not import ${module}`;
}

function checkPurity(file: string, isTest: boolean, { module, kind }: FoundImport): string | undefined {
  if (isTest || kind === 'type' || !impureModules.includes(module)) return undefined;
  const inside = file.split('/').slice(3);
  const pure = inside.map((part) => basename(part, '.ts')).find((part) => pureNames.includes(part));
  return pure === undefined ? undefined : `${pure} is a name of pure code, which must not import ${module}`;
}

/** Describes what a package may import. Pure. */
export function describeAllowed(name: string): string {
  const { packages = [], types = [], lazy = [] } = allowedImports[name] ?? {};
  const parts = [
    packages.join(', '),
    types.length > 0 ? `types of ${types.join(', ')}` : '',
    lazy.length > 0 ? `lazily ${lazy.join(', ')}` : '',
  ].filter((part) => part !== '');
  return `Allowed for ${name}: ${parts.length > 0 ? parts.join('; ') : 'no other package'}.`;
}

function main(): void {
  const top = join(dirname(fileURLToPath(import.meta.url)), '..');
  const files = globSync('packages/*/{src,test}/**/*.{ts,tsx}', { cwd: top }).filter(
    (file) => !file.endsWith('_pb.ts'),
  );
  let count = 0;
  let wrong = 0;
  for (const file of files.sort()) {
    for (const found of parseImports(readFileSync(join(top, file), 'utf8'))) {
      count += 1;
      const problem = checkImport(file, found);
      if (problem === undefined) continue;
      wrong += 1;
      console.error(`${file}:${found.line}: ${problem}`);
    }
  }
  if (wrong === 0) {
    console.log(`${count} imports in ${files.length} files conform to the table.`);
    return;
  }
  console.error(`\n${wrong} of ${count} imports are not allowed. The table (script/import-table.ts):`);
  for (const name of Object.keys(allowedImports)) console.error(`  ${describeAllowed(name)}`);
  process.exitCode = 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
