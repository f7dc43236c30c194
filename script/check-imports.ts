/**
 * Reads every import below packages/ and holds it against `import-table.ts`. Run by `npm run check:imports`.
 *
 * It reads text, not types: imports are found by their shape, so one written inside a string would be found as well.
 * It does not checkState imports of npm packages, except those with a home in the table.
 */
import { globSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  allowedImports,
  allowedInTests,
  forbiddenModules,
  homes,
  impureModules,
  packageFloors,
  pureNames,
} from './import-table.ts';

export interface FoundImport {
  line: number;
  module: string;
  way: 'value' | 'type' | 'lazy';
}

const statement = /^[ \t]*(?:import|export)\s+(?:(type)\s+)?(?:[\w*{}\s,$]*?\bfrom\s*)?['"]([^'"\n]+)['"]/gm;
const dynamic = /\bimport\(\s*['"]([^'"\n]+)['"]\s*\)/g;

/** The imports and re-exports of a source text. Pure. */
export function parseImports(source: string): FoundImport[] {
  const text = source.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '));
  const lineOf = (index: number): number => text.slice(0, index).split('\n').length;
  const found: FoundImport[] = [];
  for (const match of text.matchAll(statement)) {
    const way = match[1] === 'type' ? 'type' : 'value';
    found.push({ line: lineOf(match.index), module: match[2] ?? '', way });
  }
  for (const match of text.matchAll(dynamic)) {
    // `import('x').Type` in a type position loads nothing, but needs no exception here: write `import type`.
    found.push({ line: lineOf(match.index), module: match[1] ?? '', way: 'lazy' });
  }
  return found.sort((a, b) => a.line - b.line);
}

/** What is wrong with one import of one file (path from the repository's top), or undefined. Pure. */
export function checkImport(file: string, found: FoundImport): string | undefined {
  const box = file.split('/')[1] ?? '';
  const allowed = allowedImports[box];
  if (!allowed) return `box ${box} is not in script/import-table.ts`;
  const isTest = /\.test\.ts$/.test(file) || file.split('/')[2] === 'test';
  return (
    checkRelative(file, found.module) ??
    checkFloor(file, isTest, found.module) ??
    checkPackage(box, isTest, found) ??
    checkHome(file, found.module) ??
    checkForbidden(box, isTest, found.module) ??
    checkPurity(file, isTest, found)
  );
}

function checkRelative(file: string, module: string): string | undefined {
  if (!module.startsWith('.')) return undefined;
  if (!/\.(ts|json)$/.test(module)) return `${module} needs its ending: write ${module}.ts`;
  const home = file.split('/').slice(0, 2).join('/');
  const target = relative('/', resolve('/', dirname(file), module));
  if (target.startsWith(`${home}/`)) return undefined;
  return `${module} leaves the box; another box is imported by its door, @netyard/NAME`;
}

/** Type imports count: a floor must not depend on the shapes of a higher one either. */
function checkFloor(file: string, isTest: boolean, module: string): string | undefined {
  const [, name = '', area, ...inside] = file.split('/');
  const layers = packageFloors[name];
  if (!layers || isTest || area !== 'src' || !module.startsWith('.')) return undefined;
  const { floors, vocabulary } = layers;
  const target = relative('/src', resolve('/src', dirname(inside.join('/')), module)).split('/');
  const levelOf = (path: readonly string[]): number => {
    const [first = ''] = path;
    if (path.length > 1) return floors.indexOf(first);
    return vocabulary.includes(first) ? -1 : floors.length;
  };
  const folder = [inside, target].find((path) => path.length > 1 && !floors.includes(path[0] ?? ''))?.[0];
  if (folder !== undefined) return `src/${folder} is no floor of ${name}; the floors are ${floors.join(', ')}`;
  if (levelOf(target) <= levelOf(inside)) return undefined;
  return `${inside.join('/')} is below ${target.join('/')}; from the bottom: ${[...vocabulary, ...floors].join(', ')}, entry point`;
}

function checkPackage(box: string, isTest: boolean, { module, way }: FoundImport): string | undefined {
  const match = /^@netyard\/([^/]+)(\/.*)?$/.exec(module);
  const other = match?.[1];
  if (other === undefined) return undefined;
  if (match?.[2] !== undefined) return `${module} goes around the door; write @netyard/${other}`;
  if (other === box) return isTest ? undefined : `${box} imports itself by its own door; use a relative path`;
  const allowed = allowedImports[box];
  if (allowed?.boxes.includes(other)) return undefined;
  if (isTest && allowedInTests.includes(other)) return undefined;
  if (allowed?.types?.includes(other) && way === 'type') return undefined;
  if (allowed?.lazy?.includes(other) && way !== 'value') return undefined;
  return `${box} may not import @netyard/${other} as a ${way}. ${describeAllowed(box)}`;
}

function checkHome(file: string, module: string): string | undefined {
  const folders = homes[module];
  if (!folders || folders.some((folder) => file.startsWith(folder))) return undefined;
  return `${module} may be imported only below ${folders.join(', ')}`;
}

function checkForbidden(box: string, isTest: boolean, module: string): string | undefined {
  if (isTest || !forbiddenModules[box]?.includes(module)) return undefined;
  return `${box} must not know ${module}`;
}

function checkPurity(file: string, isTest: boolean, { module, way }: FoundImport): string | undefined {
  if (isTest || way === 'type' || !impureModules.includes(module)) return undefined;
  const inside = file.split('/').slice(3);
  const pure = inside.map((part) => basename(part, '.ts')).find((part) => pureNames.includes(part));
  return pure === undefined ? undefined : `${pure} is pure by its name: no ${module} there`;
}

/** What a box may import, in words. Pure. */
export function describeAllowed(box: string): string {
  const { boxes = [], types = [], lazy = [] } = allowedImports[box] ?? {};
  const parts = [
    boxes.join(', '),
    types.length > 0 ? `types of ${types.join(', ')}` : '',
    lazy.length > 0 ? `lazily ${lazy.join(', ')}` : '',
  ].filter((part) => part !== '');
  return `Allowed for ${box}: ${parts.length > 0 ? parts.join('; ') : 'no other box'}.`;
}

function main(): void {
  const top = join(dirname(fileURLToPath(import.meta.url)), '..');
  const files = globSync('packages/*/{src,test}/**/*.ts', { cwd: top }).filter((file) => !file.endsWith('_pb.ts'));
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
    console.log(`${count} imports in ${files.length} files are as the table allows.`);
    return;
  }
  console.error(`\n${wrong} of ${count} imports are not allowed. The table (script/import-table.ts):`);
  for (const box of Object.keys(allowedImports)) console.error(`  ${describeAllowed(box)}`);
  process.exitCode = 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
