/** Rejects binds that ask for propagation which the mount of their source does not have: it would have no effect. Pure. */
import { NetyardError } from '@netyard/core';
import type { MountPropagation } from '@netyard/kernel';
import type { ResolvedMount } from '../model.ts';

export const asksForPropagation = ({ type, propagation }: ResolvedMount): boolean =>
  type === 'bind' && /^r?(shared|slave)$/.test(propagation);

/**
 * The same mount; private if its propagation was not requested and the mount of its source has none. Throws `invalid` with
 * Docker's messages if it was.
 * @param resolved the source without symbolic links
 * @param mounts of the host, in mount order
 */
export function withPropagation(
  bind: ResolvedMount,
  resolved: string,
  mounts: readonly MountPropagation[],
): ResolvedMount {
  const mount = mountOf(resolved, mounts);
  const isSlave = bind.propagation.endsWith('slave');
  if (!mount || mount.isShared || (isSlave && mount.isSlave)) return bind;
  if (bind.isDefaultPropagation) return { ...bind, propagation: 'rprivate' };
  const what = isSlave ? 'a shared or slave mount' : 'a shared mount';
  throw new NetyardError('invalid', `path ${bind.source} is mounted on ${mount.target} but it is not ${what}`);
}

function mountOf(path: string, mounts: readonly MountPropagation[]): MountPropagation | undefined {
  const depth = (mount: MountPropagation | undefined): number => mount?.target.length ?? 0;
  let found: MountPropagation | undefined;
  for (const mount of mounts) {
    const { target } = mount;
    const holds = target === '/' || path === target || path.startsWith(`${target}/`);
    if (holds && depth(mount) >= depth(found)) found = mount; // of several mounts on one directory the last one is visible
  }
  return found;
}
