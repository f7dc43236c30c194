/** The mode of a mount given with -v or --volumes-from: comma-separated options, at most one of each kind. Pure. */

const propagations = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'] as const;
export type Propagation = (typeof propagations)[number];
export const isPropagation = (text: string): text is Propagation => (propagations as readonly string[]).includes(text);

/** SELinux labels and the consistency of Docker Desktop have no effect, as in Docker on Linux without SELinux. */
const kinds: readonly (readonly string[])[] = [
  ['ro', 'rw'],
  ['z', 'Z'],
  propagations,
  ['nocopy'],
  ['consistent', 'cached', 'delegated'],
];

/** The options of a mode, which may be empty; undefined if it is invalid. */
export function parseMountMode(mode: string): string[] | undefined {
  const options = mode === '' ? [] : mode.split(',');
  const isKnown = options.every((option) => kinds.some((kind) => kind.includes(option)));
  const isUnique = kinds.every((kind) => options.filter((option) => kind.includes(option)).length <= 1);
  return isKnown && isUnique ? options : undefined;
}
