/**
 * Which box may import which: the picture of ARCHITECTURE.md as data. `check-imports.ts` reads it; nothing else does.
 */

export interface AllowedImports {
  /** Boxes whose door (`@netyard/NAME`) may be imported in any way. */
  boxes: readonly string[];
  /** Boxes of which only types may be imported (`import type … from '@netyard/NAME'`). */
  types?: readonly string[];
  /** Boxes that may be imported by `await import(…)` only: loaded when a command needs them. */
  lazy?: readonly string[];
}

export const allowedImports: Readonly<Record<string, AllowedImports>> = {
  core: { boxes: [] },
  kernel: { boxes: ['core'] },
  dns: { boxes: ['core'] },
  peers: { boxes: ['core', 'kernel'] },
  network: { boxes: ['core', 'kernel', 'dns', 'peers'] },
  engine: { boxes: ['core', 'kernel', 'network'] },
  'api-types': { boxes: ['core'] },
  'docker-api': { boxes: ['core', 'api-types', 'network', 'engine'], types: ['peers'] },
  client: { boxes: ['core', 'api-types'] },
  cli: { boxes: ['core', 'api-types', 'client'], lazy: ['kernel', 'network', 'lab', 'daemon'] },
  runtime: { boxes: ['core', 'kernel'], types: ['engine'] },
  store: { boxes: ['core'], types: ['peers', 'network', 'engine'] },
  cluster: { boxes: ['core'] },
  lab: { boxes: ['core', 'kernel', 'client'] },
  testkit: { boxes: ['core', 'kernel'] },
  daemon: {
    boxes: [
      'core',
      'kernel',
      'peers',
      'network',
      'engine',
      'api-types',
      'docker-api',
      'runtime',
      'store',
      'cluster',
      'client',
    ],
  },
};

/** Boxes that tests (`*.test.ts`, and everything below `test/`) of any box may import besides. */
export const allowedInTests: readonly string[] = ['testkit'];

/** Modules with a home: whoever is not below one of these folders may not import them. */
export const homes: Readonly<Record<string, readonly string[]>> = {
  koffi: ['packages/kernel/src/system/ffi/'],
};

/** The floors of a package's `src/`: folders in layers. */
export interface Floors {
  /** Folders, lowest first. A file imports only files of its own floor and of lower ones, and the vocabulary. */
  floors: readonly string[];
  /**
   * Files directly below `src/` that every floor may import; they import only each other. The other files there, such as
   * `index.ts`, are the entry point: they may import all floors, and no floor may import them.
   */
  vocabulary: readonly string[];
}

export const packageFloors: Readonly<Record<string, Floors>> = {
  kernel: { floors: ['system', 'netlink', 'state'], vocabulary: ['contract.ts', 'desired.ts', 'packet-capture.ts'] },
};

/** Modules that a box must never know. */
export const forbiddenModules: Readonly<Record<string, readonly string[]>> = {
  kernel: ['node:http', 'node:https', 'node:http2'],
  peers: ['node:http', 'node:https', 'node:http2'],
  network: ['node:http', 'node:https', 'node:http2'],
  engine: ['node:http', 'node:https', 'node:http2'],
};

/** Files (or folders) of these names decide and do nothing: no I/O in them. */
export const pureNames: readonly string[] = ['plan', 'diff', 'parse', 'encode', 'translate'];

/** What counts as I/O there. */
export const impureModules: readonly string[] = [
  'node:fs',
  'node:fs/promises',
  'node:child_process',
  'node:net',
  'node:dgram',
  'node:http',
];
