/** An error at a place of a lab file, before that place has a line and a column. */

/** Keys from the top of the file: `['hosts', 'server1', 'address']`. */
export type Path = readonly PropertyKey[];

export class LabFileError extends Error {
  readonly path: Path;
  constructor(path: Path, message: string) {
    super(message);
    this.path = path;
  }
}
