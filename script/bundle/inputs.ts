/** The files that a bundle is made from, as they were when the bundler read them. */
import { hash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { Plugin } from 'rolldown';
import type { Input } from '../../packages/cli/src/bundle/freshness.ts';

/** Changes with every change of a package in node_modules, whose files are not compared one by one. */
const installed = 'node_modules/.package-lock.json';

export class Inputs {
  readonly #top: string;
  readonly #hashes = new Map<string, string>();
  readonly #began = Date.now();

  constructor(top: string) {
    this.#top = top;
  }

  /** Notes what the bundler reads, and gives modules their own path where they ask for it. */
  plugin(): Plugin {
    return {
      name: 'inputs',
      transform: (code, id) => {
        const path = this.pathOf(id);
        if (path === undefined) return null;
        this.#hashes.set(path, hash('sha256', code));
        if (!code.includes('import.meta.')) return null;
        return { code: withOwnPaths(code, path), map: null };
      },
    };
  }

  /** From the project's folder; undefined for a module that is not the project's. */
  pathOf(module: string): string | undefined {
    const path = relative(this.#top, module);
    return path.startsWith('packages/') ? path : undefined;
  }

  /** Of modules given by their paths from the project's folder. Throws if one changed while the bundle was made. */
  describe(modules: readonly string[]): Input[] {
    const paths = new Set([installed]);
    for (const path of modules) {
      paths.add(path);
      paths.add(join(...path.split('/').slice(0, 2), 'package.json'));
    }
    return [...paths].sort().map((path) => this.#describe(path));
  }

  #describe(path: string): Input {
    const file = join(this.#top, path);
    const { size, ctimeMs } = statSync(file);
    const now = hash('sha256', readFileSync(file));
    if (now !== (this.#hashes.get(path) ?? now)) throw new Error(`${path} changed while it was bundled; try again`);
    // A change within the clock's resolution would not be noticed: then contents are compared.
    return [path, size, ctimeMs > this.#began - 1000 ? 0 : ctimeMs, now];
  }
}

/** The URL of a thread's source, beside the module that starts it. */
const threadUrl =
  /new URL\((['"`])\.\/([\w-]+-thread)(?:\.ts|\$\{extname\(import\.meta\.url\)\})\1,\s*import\.meta\.url\)/g;

/**
 * A chunk is in packages/cli/dist, with the bundles of the threads; its modules find other files beside their sources.
 * Pure.
 */
export function withOwnPaths(code: string, path: string): string {
  const file = (of: string): string => `require("node:path").join(__dirname, "../../..", ${JSON.stringify(of)})`;
  const url = (of: string): string => `require("node:url").pathToFileURL(${of})`;
  return code
    .replaceAll(threadUrl, (_, _quote, thread: string) =>
      url(`require("node:path").join(__dirname, ${JSON.stringify(`${thread}.cjs`)})`),
    )
    .replaceAll('import.meta.dirname', file(dirname(path)))
    .replaceAll('import.meta.url', `${url(file(path))}.href`);
}
