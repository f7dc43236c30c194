/**
 * Bundles `netyard` and `netyard daemon` into packages/cli/dist, because loading hundreds of source files takes longer than
 * most commands. Used by script/bootstrap. The bundle compares itself with its sources before it runs
 * (packages/cli/src/bundle/freshness.ts); where they differ, bin/netyard runs the sources.
 *
 *     node script/build-commands.ts
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { SourceMapPayload } from 'node:module';
import { join, relative, resolve } from 'node:path';
import { type OutputChunk, type OutputOptions, type RolldownBuild, rolldown } from 'rolldown';
import { Inputs } from './bundle/inputs.ts';
import { loadLazily } from './bundle/lazy-modules.ts';
import { lineTable } from './bundle/line-table.ts';

const top = join(import.meta.dirname, '..');
const folder = join(top, 'packages/cli/dist');

interface Program {
  /** `netyard` is the file `netyard.cjs`. */
  name: string;
  /** From the project's folder. */
  entry: string;
  output: OutputOptions;
  /** Load Node's modules when they are used. */
  lazy: boolean;
}

const programs: readonly Program[] = [
  { name: 'netyard', entry: 'packages/cli/src/main.ts', output: {}, lazy: true },
  // One file: a daemon runs for months, and may load a part of it when a newer version has replaced the files.
  { name: 'daemon', entry: 'packages/cli/src/daemon-main.ts', output: { codeSplitting: false }, lazy: false },
];

const support = {
  name: 'bundle',
  entry: 'packages/cli/src/bundle/index.ts',
  output: { codeSplitting: false },
  lazy: true,
};

const openBundle = ({ name, entry }: Program, inputs: Inputs): Promise<RolldownBuild> =>
  rolldown({
    input: { [name]: join(top, entry) },
    platform: 'node',
    external: ['koffi'],
    treeshake: { moduleSideEffects: (id) => !id.startsWith('node:') },
    plugins: [inputs.plugin()],
  });

/** The chunks that one chunk loads, directly or not, itself included. The first chunk always is loaded already. */
function loadedBy(chunk: OutputChunk, chunks: readonly OutputChunk[], alsoLater: boolean): OutputChunk[] {
  const found = new Set([chunk]);
  for (const { imports, dynamicImports } of found) {
    for (const file of alsoLater ? [...imports, ...dynamicImports] : imports) {
      const other = chunks.find(({ fileName }) => fileName === file);
      if (other && !other.isEntry) found.add(other);
    }
  }
  return [...found];
}

/** The chunk's code with its check, which is on the first line, so that lines keep their numbers. */
function withCheck(
  chunk: OutputChunk,
  chunks: readonly OutputChunk[],
  { entry, lazy }: Program,
  inputs: Inputs,
): string {
  const code = lazy ? loadLazily(chunk.code) : chunk.code;
  if (!chunk.isEntry && !chunk.isDynamicEntry) return code;
  const modules = loadedBy(chunk, chunks, !chunk.isEntry).flatMap(({ moduleIds }) => moduleIds);
  const list = JSON.stringify(inputs.describe(modules));
  const program = JSON.stringify(entry);
  return chunk.isEntry
    ? `"use strict";const bundle=require("./bundle.cjs");if(!bundle.isFresh(${list}))return void bundle.runSources(${program});${code}`
    : `"use strict";require("./bundle.cjs").restartUnlessFresh(${list},${program});${code}`;
}

/** The files of one program, by name. */
async function build(program: Program, checked: boolean): Promise<Map<string, string>> {
  const inputs = new Inputs(top);
  await using bundle = await openBundle(program, inputs);
  const names = { entryFileNames: '[name].cjs', chunkFileNames: `${program.name}-[name]-[hash].cjs` };
  const { output } = await bundle.generate({
    dir: folder,
    format: 'cjs',
    sourcemap: true,
    ...names,
    ...program.output,
  });
  const chunks = output.filter((file) => file.type === 'chunk');
  const files = new Map<string, string>();
  for (const chunk of chunks) {
    const code = checked ? withCheck(chunk, chunks, program, inputs) : chunk.code;
    const pathOf = (source: string): string => relative(top, resolve(folder, source));
    const table = lineTable(chunk.map as SourceMapPayload | null, code.split('\n').length, pathOf);
    files.set(chunk.fileName, code).set(`${chunk.fileName}.lines.json`, JSON.stringify(table));
  }
  return files;
}

/**
 * Writes files that are complete at any moment, those that load others last. Files of the version before stay, for
 * commands that run meanwhile.
 */
function write(files: ReadonlyMap<string, string>): void {
  mkdirSync(folder, { recursive: true });
  const list = join(folder, 'files.json');
  const before = existsSync(list) ? (JSON.parse(readFileSync(list, 'utf8')) as string[]) : [];
  for (const [name, text] of [...files].reverse()) {
    writeFileSync(join(folder, `${name}.new`), text);
    renameSync(join(folder, `${name}.new`), join(folder, name));
  }
  writeFileSync(list, JSON.stringify([...files.keys()]));
  const used = new Set(['files.json', ...files.keys(), ...before]);
  for (const name of readdirSync(folder)) if (!used.has(name)) rmSync(join(folder, name));
}

const files = new Map(await build(support, false));
for (const program of programs) for (const [name, text] of await build(program, true)) files.set(name, text);
write(files);
