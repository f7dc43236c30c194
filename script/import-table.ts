/**
 * Which package may import which: the diagram in ARCHITECTURE.md as data for `check-imports.ts`.
 */

export interface AllowedImports {
  /** Packages whose entry point (`@netyard/NAME`) may be imported in any way. */
  packages: readonly string[];
  /** Packages of which only types may be imported (`import type … from '@netyard/NAME'`). */
  types?: readonly string[];
  /** Packages that may be imported by `await import(…)` only: loaded when a command needs them. */
  lazy?: readonly string[];
}

export const allowedImports: Readonly<Record<string, AllowedImports>> = {
  core: { packages: [] },
  kernel: { packages: ['core'] },
  dns: { packages: ['core'] },
  peers: { packages: ['core', 'kernel'] },
  network: { packages: ['core', 'kernel', 'peers'] },
  sandbox: { packages: ['core', 'kernel', 'dns', 'peers', 'network'] },
  engine: { packages: ['core', 'kernel', 'network', 'sandbox'] },
  'api-types': { packages: ['core'] },
  'docker-api': { packages: ['core', 'api-types', 'network', 'sandbox', 'engine'], types: ['peers'] },
  page: { packages: [] },
  web: {
    packages: ['core', 'docker-api', 'network'],
    types: ['page', 'kernel', 'peers', 'sandbox', 'engine', 'topology', 'trace'],
  },
  client: { packages: ['core', 'api-types'] },
  topology: { packages: ['core', 'kernel', 'api-types', 'client'] },
  trace: { packages: ['core', 'kernel', 'topology'] },
  cli: {
    packages: ['core', 'api-types', 'client'],
    lazy: ['kernel', 'network', 'sandbox', 'topology', 'trace', 'lab', 'daemon'],
  },
  metrics: { packages: ['core'], types: ['kernel', 'peers', 'network', 'sandbox', 'engine'] },
  runtime: { packages: ['core', 'kernel'], types: ['engine'] },
  store: { packages: ['core'], types: ['peers', 'network', 'sandbox', 'engine'] },
  cluster: { packages: ['core'] },
  journal: { packages: ['core'], types: ['kernel', 'peers', 'network', 'sandbox', 'engine'] },
  lab: { packages: ['core', 'kernel', 'client'] },
  testkit: { packages: ['core', 'kernel'] },
  daemon: {
    packages: [
      'core',
      'kernel',
      'peers',
      'network',
      'sandbox',
      'engine',
      'journal',
      'metrics',
      'api-types',
      'docker-api',
      'web',
      'runtime',
      'store',
      'cluster',
      'client',
      'topology',
      'trace',
    ],
  },
};

/** Packages that tests (`*.test.ts`, and everything below `test/`) of any package may import as well. */
export const allowedInTests: readonly string[] = ['testkit'];

/** Modules that only files below these folders may import. */
export const restrictedModules: Readonly<Record<string, readonly string[]>> = {
  koffi: ['packages/kernel/src/system/ffi/'],
};

/** The layers of a package's `src/`. */
export interface Layers {
  /** Folders, lowest first. A file imports only files of its own layer and of lower ones, and shared files. */
  layers: readonly string[];
  /**
   * Files directly below `src/` that every layer may import; they import only each other. The other files there, such as
   * `index.ts`, are the entry point: they may import all layers, and no layer may import them.
   */
  shared: readonly string[];
}

export const packageLayers: Readonly<Record<string, Layers>> = {
  kernel: {
    layers: ['system', 'netlink', 'state'],
    shared: [
      'contract.ts',
      'desired.ts',
      'network-change.ts',
      'observed-namespace.ts',
      'packet-capture.ts',
      'packet-drops.ts',
      'packet-trace.ts',
    ],
  },
};

/** Modules that a package must not import. */
export const forbiddenModules: Readonly<Record<string, readonly string[]>> = {
  kernel: ['node:http', 'node:https', 'node:http2'],
  peers: ['node:http', 'node:https', 'node:http2'],
  network: ['node:http', 'node:https', 'node:http2'],
  sandbox: ['node:http', 'node:https', 'node:http2'],
  engine: ['node:http', 'node:https', 'node:http2'],
};

/** Names of files and folders whose code is pure: it must not import modules for I/O. */
export const pureNames: readonly string[] = ['plan', 'diff', 'parse', 'encode', 'translate'];

/** Modules for I/O. */
export const impureModules: readonly string[] = [
  'node:fs',
  'node:fs/promises',
  'node:child_process',
  'node:net',
  'node:dgram',
  'node:http',
];
