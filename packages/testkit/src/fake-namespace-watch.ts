/** The fake kernel's watch on namespaces: a test reports the changes. */
import type { NamespaceWatch } from '@netyard/kernel';

export class FakeNamespaceWatch implements NamespaceWatch {
  /** Watched namespaces, and whether their next change is reported. */
  readonly armed = new Map<string, boolean>();
  /** Paths of the calls of `hold` whose end was not called yet. */
  readonly held: string[] = [];
  readonly #report: (path: string) => void;

  constructor(report: (path: string) => void) {
    this.#report = report;
  }

  /** Reports a change, as one inside the namespace would. */
  change(path: string): void {
    if (!this.armed.get(path)) return;
    this.armed.set(path, false);
    this.#report(path);
  }

  add(path: string): void {
    this.armed.set(path, true);
  }

  remove(path: string): void {
    this.armed.delete(path);
  }

  hold(path: string): () => void {
    this.held.push(path);
    return () => void this.held.splice(this.held.indexOf(path), 1);
  }

  rearm(path: string): void {
    if (this.armed.has(path)) this.armed.set(path, true);
  }

  close(): void {
    this.armed.clear();
  }
}
