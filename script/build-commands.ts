/**
 * Bundles `netyard`, `netyard daemon` and the daemon's threads into packages/cli/dist, because loading hundreds of source
 * files takes longer than most commands. Used by script/bootstrap. The bundle compares itself with its sources before it runs
 * (packages/cli/src/bundle/freshness.ts); where they differ, bin/netyard runs the sources.
 *
 *     node script/build-commands.ts
 */
import { existsSync, globSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { SourceMapPayload } from 'node:module';
import { basename, join, relative, resolve } from 'node:path';
import { type OutputChunk, type OutputOptions, rolldown } from 'rolldown';
import { asAscii } from './bundle/ascii.ts';
import { checkEntry } from './bundle/entry.ts';
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
}

const single: OutputOptions = { codeSplitting: false };
/** What each program loads first. */
const support: Program = { name: 'bundle', entry: 'packages/cli/src/bundle/index.ts', output: single };
/** What most commands load is one file: each costs half a millisecond. */
const common =
  /packages\/(core|client)\/src\/|packages\/cli\/src\/(program|format|template|command-table|failure|options\/(filters|shared))/;
const command: Program = {
  name: 'netyard',
  entry: 'packages/cli/src/main.ts',
  output: { codeSplitting: { groups: [{ name: 'common', test: common, includeDependenciesRecursively: false }] } },
};
/** One file: a daemon runs for months, and may load a part of it when a newer version has replaced the files. */
const daemon: Program = { name: 'daemon', entry: 'packages/cli/src/daemon-main.ts', output: single };
/** Worker threads, one file each: from their sources, a thread loads whole packages, for as long as it lives. */
const threads: Program[] = globSync('packages/*/src/**/*-thread.ts', { cwd: top })
  .sort()
  .map((entry) => ({ name: basename(entry, '.ts'), entry, output: single }));

async function bundle({ name, entry, output }: Program, inputs: Inputs): Promise<OutputChunk[]> {
  await using build = await rolldown({
    input: { [name]: join(top, entry) },
    platform: 'node',
    external: ['koffi'],
    preserveEntrySignatures: name === support.name ? 'strict' : false,
    treeshake: { moduleSideEffects: (id) => !id.startsWith('node:') },
    plugins: [inputs.plugin()],
  });
  const names = { entryFileNames: '[name].cjs', chunkFileNames: `${name}-[name]-[hash].cjs` };
  const options: OutputOptions = { dir: folder, format: 'cjs', sourcemap: true, comments: false, ...names, ...output };
  const files = (await build.generate(options)).output.filter((file) => file.type === 'chunk');
  for (const { map } of files) void map; // read before the build is closed
  return files;
}

/** The chunks that one chunk loads, directly or not, itself included; `known` are loaded already. */
function loadedBy(
  chunk: OutputChunk,
  chunks: readonly OutputChunk[],
  importsOf: (chunk: OutputChunk) => readonly string[],
  known: readonly OutputChunk[] = [],
): OutputChunk[] {
  const found = new Set([chunk]);
  for (const one of found) {
    for (const file of importsOf(one)) {
      const other = chunks.find(({ fileName }) => fileName === file);
      if (other && !known.includes(other)) found.add(other);
    }
  }
  return [...found];
}

/** What runs in a process after it loaded a chunk: the first one's static imports, or all that another may load. */
function modulesOf(chunk: OutputChunk, chunks: readonly OutputChunk[]): string[] {
  const first = chunks.flatMap((one) => (one.isEntry ? loadedBy(one, chunks, ({ imports }) => imports) : []));
  const loaded = chunk.isEntry
    ? first
    : loadedBy(chunk, chunks, ({ imports, dynamicImports }) => [...imports, ...dynamicImports], first);
  return loaded.flatMap(({ moduleIds }) => moduleIds);
}

/**
 * The check of a chunk's sources, which precedes its code on its first line, so that lines keep their numbers. What is
 * loaded with another chunk only, needs none.
 */
function checkOf(chunk: OutputChunk, chunks: readonly OutputChunk[], { entry }: Program, inputs: Inputs): string {
  if (!chunk.isEntry && !chunk.isDynamicEntry) return '';
  const modules = modulesOf(chunk, chunks).flatMap((module) => inputs.pathOf(module) ?? []);
  const list = JSON.stringify(inputs.describe(modules));
  const program = JSON.stringify(entry);
  return chunk.isEntry
    ? `"use strict";const bundle=require("./bundle.cjs");if(!bundle.isFresh(${list}))return void bundle.runSources(${program});`
    : `"use strict";require("./bundle.cjs").restartUnlessFresh(${list},${program});`;
}

type Files = Map<string, string>;

function addChunk(files: Files, chunk: OutputChunk, code: string): void {
  const pathOf = (source: string): string => relative(top, resolve(folder, source));
  const table = lineTable(chunk.map as SourceMapPayload | null, code.split('\n').length, pathOf);
  files.set(chunk.fileName, asAscii(code)).set(`${chunk.fileName}.lines.json`, JSON.stringify(table));
}

/**
 * Writes files that are complete at any moment, those that load others last. Files of the version before stay, for
 * programs that run meanwhile.
 */
function write(files: Files): void {
  mkdirSync(folder, { recursive: true });
  const list = join(folder, 'files.json');
  const before = existsSync(list) ? (JSON.parse(readFileSync(list, 'utf8')) as string[]) : [];
  for (const [name, text] of files) {
    writeFileSync(join(folder, `${name}.new`), text);
    renameSync(join(folder, `${name}.new`), join(folder, name));
  }
  writeFileSync(list, JSON.stringify([...files.keys()]));
  const used = new Set(['files.json', ...files.keys(), ...before]);
  for (const name of readdirSync(folder)) if (!used.has(name)) rmSync(join(folder, name));
}

const inputs = new Inputs(top);
const files: Files = new Map();
for (const chunk of await bundle(support, inputs)) addChunk(files, chunk, loadLazily(chunk.code));
for (const program of [...threads, daemon, command]) {
  const chunks = await bundle(program, inputs);
  checkEntry(chunks);
  for (const chunk of chunks.toSorted((a, b) => Number(a.isEntry) - Number(b.isEntry))) {
    // The daemon and its threads load all of Node's modules that they use anyway.
    const code = program === command ? loadLazily(chunk.code) : chunk.code;
    addChunk(files, chunk, checkOf(chunk, chunks, program, inputs) + code);
  }
}
write(files);
