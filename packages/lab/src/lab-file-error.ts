/** An error at a path in a lab file, before the path is resolved to line and column. */

/** Keys from the root: `['hosts', 'server1', 'address']`. */
export type Path = readonly PropertyKey[];

export class LabFileError extends Error {
  readonly path: Path;
  constructor(path: Path, message: string) {
    super(message);
    this.path = path;
  }
}
