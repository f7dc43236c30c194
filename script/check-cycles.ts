/**
 * Finds circular imports, type imports included: between files, below packages/ also between the folders of a package and
 * between packages. Run by `npm run check:cycles`.
 */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseImports } from './check-imports.ts';

/** Node → the nodes it imports. */
export type ImportGraph = ReadonlyMap<string, ReadonlySet<string>>;

/** Strongly connected components with more than one node, each sorted, by Tarjan's algorithm. Pure. */
export function findCycles(graph: ImportGraph): string[][] {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const cycles: string[][] = [];
  const visit = (node: string): void => {
    const own = index.size;
    index.set(node, own);
    low.set(node, own);
    stack.push(node);
    for (const next of graph.get(node) ?? []) {
      if (!index.has(next)) visit(next);
      if (stack.includes(next)) low.set(node, Math.min(low.get(node) ?? own, low.get(next) ?? own));
    }
    if (low.get(node) !== own) return;
    const component = stack.splice(stack.indexOf(node));
    if (component.length > 1) cycles.push(component.sort());
  };
  for (const node of graph.keys()) visit(node);
  return cycles;
}

/** The same graph with each node replaced by its group; edges inside a group are omitted. Pure. */
export function groupGraph(graph: ImportGraph, groupOf: (node: string) => string): ImportGraph {
  const grouped = new Map<string, Set<string>>();
  for (const [node, targets] of graph) {
    const group = groupOf(node);
    const set = grouped.get(group) ?? new Set();
    grouped.set(group, set);
    for (const target of targets) if (groupOf(target) !== group) set.add(groupOf(target));
  }
  return grouped;
}

/**
 * The folder of a file for the folder check: its top folder inside the package's src, so that `a/b/x.ts` and
 * `a/y.ts` belong together. Files directly in src are each a node of their own: an index or a contract there is
 * imported by folders and imports others.
 */
export function topFolder(file: string): string {
  const parts = file.split('/');
  return parts.length > 4 ? parts.slice(0, 4).join('/') : file;
}

const packageOf = (file: string): string => file.split('/')[1] ?? '';

const sources = ['packages/*/src/**/*.{ts,tsx}', 'packages/*/{test,bench}/**/*.ts', '{bench,e2e,fuzz,script}/**/*.ts'];

function readGraph(top: string): ImportGraph {
  const files = globSync(sources, { cwd: top }).filter((file) => !file.endsWith('.test.ts'));
  return new Map(
    files.sort().map((file) => {
      const imports = parseImports(readFileSync(join(top, file), 'utf8')).map(({ module }) => module);
      const targets = imports.flatMap((module) => {
        if (module.startsWith('.')) return [relative('/', resolve('/', dirname(file), module))];
        const other = /^@netyard\/([^/]+)$/.exec(module)?.[1];
        return other === undefined ? [] : [`packages/${other}/src/index.ts`];
      });
      return [file, new Set(targets)];
    }),
  );
}

/** The import that closes a cycle, as one line: `a → b → a`. Pure. */
export function describeCycle(graph: ImportGraph, component: readonly string[]): string {
  const inside = new Set(component);
  const path = [component[0] ?? ''];
  const isOpen = (node: string): boolean => inside.has(node) && !path.includes(node);
  for (let next = path[0]; next !== undefined; ) {
    next = [...(graph.get(next) ?? [])].find(isOpen);
    if (next !== undefined) path.push(next);
  }
  return `${component.length} in a cycle: ${path.join(' → ')} → …`;
}

function main(): void {
  const top = join(dirname(fileURLToPath(import.meta.url)), '..');
  const files = readGraph(top);
  const library = new Map([...files].filter(([file]) => /^packages\/[^/]+\/src\//.test(file)));
  const graphs = { files, folders: groupGraph(library, topFolder), packages: groupGraph(library, packageOf) };
  for (const [kind, graph] of Object.entries(graphs)) {
    const cycles = findCycles(graph);
    for (const cycle of cycles) console.error(`${kind}: ${describeCycle(graph, cycle)}\n  ${cycle.join('\n  ')}`);
    if (cycles.length > 0) process.exitCode = 1;
  }
  if (process.exitCode === undefined) console.log(`No circular imports in ${files.size} files.`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
