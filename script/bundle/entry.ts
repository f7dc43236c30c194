/** Checks that the first chunk of a program, which starts it, is not used by the others. Pure. */

export interface Chunk {
  fileName: string;
  isEntry: boolean;
  /** File names of chunks. */
  imports: readonly string[];
}

/**
 * The entry chunk starts the program before it has exported anything: another chunk that runs at once would find nothing.
 * Throws.
 */
export function checkEntry(chunks: readonly Chunk[]): void {
  for (const { fileName } of chunks.filter(({ isEntry }) => isEntry)) {
    const user = chunks.find(({ imports }) => imports.includes(fileName));
    if (user)
      throw new Error(`${user.fileName} imports ${fileName}: add what it needs from there to a group of chunks`);
  }
}
