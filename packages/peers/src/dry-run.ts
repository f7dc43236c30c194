/** Dry runs: an operation runs on a kernel that records, and on copies of the state that are discarded. */
import { KeyedQueue, silentLogger } from '@netyard/core';
import { type KernelOperation, recordKernel } from '@netyard/kernel';
import type { OwnHost, PeerStore } from './contract.ts';
import { peersQueue } from './operations/objects.ts';
import type { PeersDependencies } from './operations/requests.ts';

/** Runs in the queue of the peers, so that the copies are those of no half-done operation. Throws what `run` throws. */
export async function dryRun(
  context: PeersDependencies,
  run: (copy: PeersDependencies) => Promise<unknown>,
): Promise<KernelOperation[]> {
  return context.queue.run(peersQueue, async () => {
    const { kernel, operations } = recordKernel(context.kernel);
    await run(copyOf({ ...context, kernel }));
    return [...operations];
  });
}

const ignore = (): void => undefined;

/** The same state, whose changes and announcements have no effect. */
const copyOf = (context: PeersDependencies): PeersDependencies => ({
  ...context,
  store: discardChanges(context.store),
  host: withoutEvents(context.host),
  logger: silentLogger,
  peers: context.peers.copy(),
  queue: new KeyedQueue(),
});

const discardChanges = (store: PeerStore): PeerStore => ({
  peers: () => store.peers(),
  putPeer: ignore,
  deletePeer: ignore,
});

const withoutEvents = (host: OwnHost): OwnHost => ({
  networks: () => host.networks(),
  hasIpv6: () => host.hasIpv6(),
  openTunnel: host.openTunnel,
  mtuChanged: (change) => host.mtuChanged(change),
  refused: ignore,
  ownDeletion: ignore,
});
