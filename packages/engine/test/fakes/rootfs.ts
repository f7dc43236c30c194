/** Root file systems as plain directories. */
import { appendFileSync, existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { HeldRoot, RootFilesystems } from '../../src/index.ts';
import { unexpected } from './unexpected.ts';

/** Plain directories instead of overlays. */
export class FakeRootfs implements RootFilesystems {
  readonly root: string;
  readonly mounted = new Set<string>();
  readonly detached = new Set<string>();
  /** Containers that were last mounted as disposable. */
  readonly disposable = new Set<string>();
  /** Files of the image, by path: `directory` or content. */
  imageDirectories: string[] = [];

  constructor(root: string) {
    this.root = root;
  }

  async create(id: string): Promise<void> {
    mkdirSync(join(this.root, id), { recursive: true });
    for (const path of this.imageDirectories) mkdirSync(join(this.root, id, path), { recursive: true });
  }

  async mount(id: string, _layers: readonly string[], isDisposable: boolean): Promise<string> {
    this.mounted.add(id);
    if (isDisposable) this.disposable.add(id);
    else this.disposable.delete(id);
    return join(this.root, id);
  }

  async detach(id: string): Promise<void> {
    this.detached.add(id);
  }

  holdRoot(id: string): HeldRoot {
    return { root: join(this.root, id), close: () => undefined };
  }

  async unmount(id: string): Promise<void> {
    this.detached.delete(id);
    this.mounted.delete(id);
  }

  async remove(id: string): Promise<void> {
    this.mounted.delete(id);
    rmSync(join(this.root, id), { recursive: true, force: true });
  }

  async withMounted<T>(id: string, _layers: readonly string[], work: (root: string) => Promise<T>): Promise<T> {
    return work(join(this.root, id));
  }

  async withMounts<T>(
    id: string,
    _layers: readonly string[],
    _view: unknown,
    work: (root: string) => Promise<T>,
  ): Promise<T> {
    return work(join(this.root, id));
  }

  changes = unexpected('changes');
  readLayer: RootFilesystems['readLayer'] = unexpected('readLayer');

  async size() {
    return { writable: 0, total: 0 };
  }

  async list(): Promise<string[]> {
    return existsSync(this.root) ? readdirSync(this.root) : [];
  }

  async statInRoot(root: string, path: string) {
    const found = statSync(join(root, path), { throwIfNoEntry: false });
    if (!found) return undefined;
    const mode = (found.mode & 0o777) + (found.isDirectory() ? 0x80000000 : 0);
    return { name: path, size: found.size, mode, modified: 0n, linkTarget: '' };
  }

  async resolvePath(_root: string, path: string): Promise<string> {
    return path;
  }

  readArchive = unexpected('readArchive');
  writeArchive = unexpected('writeArchive');
  makeFolder = async (): Promise<void> => {};
  exportTree = unexpected('exportTree');

  async copyTree(_root: string, path: string, destination: string): Promise<void> {
    appendFileSync(join(destination, 'copied'), path);
  }
}
