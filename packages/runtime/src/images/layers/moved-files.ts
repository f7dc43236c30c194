/** Where the files of an archive are that a later entry of the same archive replaced. Pure. */

export interface MovedFile {
  /** Files of the record with smaller numbers were there. */
  before: number;
  /** Path in `diff` of the file, or of a directory with files. */
  path: string;
  /** Its new path in the layer's folder. */
  to: string;
}

type Move = MovedFile & { index: number };

export class MovedFiles {
  /** In order; one path may have been replaced many times. */
  readonly #byPath = new Map<string, Move[]>();

  /** @param moved in the order of the moves */
  constructor(moved: readonly MovedFile[]) {
    for (const [index, move] of moved.entries()) {
      const moves = this.#byPath.get(move.path) ?? [];
      moves.push({ ...move, index });
      this.#byPath.set(move.path, moves);
    }
  }

  /** Where the file with this number is now, as a path in the layer's folder: the first move applies that found it. */
  placeOf(path: string, number: number): string {
    if (this.#byPath.size === 0) return `diff/${path}`;
    let first: Move | undefined;
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
      const move = firstAfter(this.#byPath.get(path.slice(0, end)) ?? [], number);
      if (move && (first === undefined || move.index < first.index)) first = move;
    }
    return first === undefined ? `diff/${path}` : first.to + path.slice(first.path.length);
  }
}

/** The first move after the file with this number was created. */
function firstAfter(moves: readonly Move[], number: number): Move | undefined {
  let [low, high] = [0, moves.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((moves[middle]?.before ?? 0) > number) high = middle;
    else low = middle + 1;
  }
  return moves[low];
}
