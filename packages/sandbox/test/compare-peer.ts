/** Compares the dry run of adding or removing a peer with the operation itself, on any kernel. */
import assert from 'node:assert/strict';
import type { KernelOperation } from '@netyard/kernel';
import type { PeerRequest } from '@netyard/peers';
import type { Networks } from '../src/index.ts';

interface Observed {
  /** All operations that the kernel has performed. */
  done(): readonly KernelOperation[];
  /** Whatever a dry run must not change. */
  state(): unknown;
}

/** Returns the operations. */
export async function comparePeer(
  networks: Networks,
  request: { add: PeerRequest } | { remove: string },
  { done, state }: Observed,
): Promise<KernelOperation[]> {
  const [before, count] = [await state(), done().length];
  const planned = await ('add' in request
    ? networks.planAddPeer(request.add)
    : networks.planRemovePeer(request.remove));
  assert.deepEqual(await state(), before, 'a dry run changes nothing');
  assert.equal(done().length, count);
  await ('add' in request ? networks.addPeer(request.add) : networks.removePeer(request.remove));
  assert.deepEqual(planned, done().slice(count));
  return planned;
}
