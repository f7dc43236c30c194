/**
 * Peers written down: added, removed, told of, and kept true. One piece of work at a time (queue `peers`), so that the
 * watcher never meets an add half-way.
 */
import { isNetyardError, messageOf, NetyardError } from '@netyard/core';
import type { KernelObject, KernelOperation } from '@netyard/kernel';
import { bridgeOf, type Context, type Peer } from '../context.ts';
import type { PeerPath, PeerRecord, PeerRequest, PeerState } from '../contract.ts';
import { tableName } from '../firewall/table.ts';
import { checkPeerRequest } from '../peers/parse.ts';
import { checkOthers, checkSubnets, findPath, type HostView } from '../peers/place.ts';
import { isPeerComment, peerProtocol, planPeer } from '../plan/peer.ts';
import { listElements } from './orphans.ts';

const queueKey = 'peers';
const mainTable = 254;

export async function addPeer(context: Context, request: PeerRequest): Promise<PeerState> {
  return context.queue.run(queueKey, async () => {
    const { record, path } = await place(context, request);
    context.store.putPeer(record);
    context.peers.set(record.name, { record, origin: 'request', path });
    try {
      await context.kernel.apply({ owner: `peer ${record.name}`, objects: planPeer(record, path) });
    } catch (error) {
      context.peers.delete(record.name);
      context.store.deletePeer(record.name);
      throw error;
    }
    await forget(context, record);
    return stateOf(context, peerOf(context, record.name));
  });
}

/** What `addPeer` would do; throws what it would throw. */
export async function planAddPeer(context: Context, request: PeerRequest): Promise<KernelOperation[]> {
  const { record, path } = await place(context, request);
  const plan = { owner: `peer ${record.name}`, objects: planPeer(record, path) };
  return (await context.kernel.apply(plan, { dryRun: true })).operations;
}

/** All checks, before anything is touched. */
async function place(context: Context, request: PeerRequest): Promise<{ record: PeerRecord; path: PeerPath }> {
  const wanted = checkPeerRequest(request);
  checkOthers(
    wanted,
    [...context.peers.values()].map(({ record }) => record),
  );
  const host = await viewHost(context);
  const path = findPath(wanted, host);
  checkSubnets(wanted, host, 'new');
  return { record: { ...wanted, created: context.clock.now() }, path };
}

async function viewHost(context: Context): Promise<HostView> {
  const { kernel, networks } = context;
  const bridges = [...networks.keys()].flatMap((id) => bridgeOf(context, id) ?? []);
  return {
    links: await kernel.listLinks(),
    addresses: await kernel.listAddresses(),
    routes: await kernel.listRoutes(),
    bridges,
  };
}

export async function removePeer(context: Context, name: string): Promise<void> {
  await context.queue.run(queueKey, async () => {
    const peer = removable(context, name);
    context.peers.delete(name);
    try {
      await removeStrays(context);
    } catch (error) {
      context.peers.set(name, peer);
      throw error;
    }
    context.store.deletePeer(name);
    await forget(context, peer.record);
  });
}

/** What goes on from before, masqueraded, and what would go on afterwards, as it was let in once. */
async function forget(context: Context, { name, subnets }: PeerRecord): Promise<void> {
  for (const subnet of subnets) {
    try {
      await context.kernel.forgetConnectionsOf(subnet);
    } catch (error) {
      context.logger.error('open connections could not be forgotten', { peer: name, error: messageOf(error) });
    }
  }
}

export async function planRemovePeer(context: Context, name: string): Promise<KernelOperation[]> {
  const { record, path } = removable(context, name);
  if (!path) return [];
  const plan = { owner: `peer ${name}`, objects: planPeer(record, path) };
  return (await context.kernel.remove(plan, { dryRun: true })).operations;
}

function removable(context: Context, name: string): Peer {
  const peer = peerOf(context, name);
  if (peer.origin === 'request') return peer;
  throw new NetyardError('conflict', `peer ${name} stands in the daemon's configuration`, {
    hint: 'take it out there and start the daemon again',
  });
}

/** Throws `not-found`: `peer X not found`. */
export function peerOf(context: Context, name: string): Peer {
  const peer = context.peers.get(name);
  if (peer) return peer;
  throw new NetyardError('not-found', `peer ${name} not found`);
}

export async function listPeers(context: Context): Promise<PeerState[]> {
  return Promise.all([...context.peers.values()].map((peer) => stateOf(context, peer)));
}

/** Wanted and found side by side. */
export async function stateOf(context: Context, { record, origin, path, problem }: Peer): Promise<PeerState> {
  const objects = path ? planPeer(record, path) : [];
  const found = await context.kernel.observe(objects);
  const isThere = (wanted: (object: KernelObject) => boolean): boolean =>
    objects.some((object, index) => wanted(object) && found[index]?.state === 'present');
  const routes = record.subnets.map((subnet) => ({
    subnet,
    present: isThere((object) => object.kind === 'route' && object.to === subnet),
  }));
  const open = objects.every((object, index) => object.kind === 'route' || found[index]?.state === 'present');
  const forwards = (await context.kernel.readSysctl('net.ipv4.ip_forward')).trim() === '1';
  const problems = [
    ...(problem === undefined ? [] : [problem]),
    ...(path ? routes.filter(({ present }) => !present).map(({ subnet }) => `the route to ${subnet} is missing`) : []),
    ...(path && !open ? ['its packets are not let in: an element of the set peer_paths is missing'] : []),
    ...(forwards ? [] : ['this host does not forward: net.ipv4.ip_forward is 0']),
  ];
  return { record, origin, ...(path ? { path } : {}), routes, open: path !== undefined && open, problems };
}

/**
 * Makes the kernel true for all peers: looks where each is now, takes away what belongs to none, makes what is missing.
 * Answers what it did. A peer that cannot be reached now is told of and waits for the kernel's next event.
 */
export async function mendPeers(context: Context): Promise<KernelOperation[]> {
  return context.queue.run(queueKey, async () => {
    if (context.peers.size > 0) await placeAll(context);
    const done = await removeStrays(context);
    for (const { record, path } of context.peers.values()) {
      if (!path) continue;
      try {
        const plan = { owner: `peer ${record.name}`, objects: planPeer(record, path) };
        done.push(...(await context.kernel.apply(plan)).operations);
      } catch (error) {
        context.logger.error('a peer could not be mended', { peer: record.name, error: messageOf(error) });
      }
    }
    return done;
  });
}

async function placeAll(context: Context): Promise<void> {
  const host = await viewHost(context);
  const before: PeerRecord[] = [];
  for (const peer of context.peers.values()) {
    const former = peer.problem;
    try {
      checkOthers(peer.record, before);
      checkSubnets(peer.record, host, 'known');
      peer.path = findPath(peer.record, host);
      peer.problem = undefined;
      before.push(peer.record);
    } catch (error) {
      if (!isNetyardError(error)) throw error;
      peer.path = undefined;
      peer.problem = error.message;
    }
    const { name } = peer.record;
    if (peer.problem !== undefined && peer.problem !== former)
      context.logger.warn('a peer cannot be reached', { peer: name, problem: peer.problem });
    if (peer.problem === undefined && former !== undefined)
      context.logger.info('a peer is in place again', { peer: name });
  }
}

/** The kernel objects of all peers that have a path. */
export function planPeers(context: Context): KernelObject[] {
  return [...context.peers.values()].flatMap(({ record, path }) => (path ? planPeer(record, path) : []));
}

async function removeStrays(context: Context): Promise<KernelOperation[]> {
  const has = new Set(planPeers(context).map(identify));
  const strays = (await findPeerObjects(context)).filter((object) => !has.has(identify(object)));
  if (strays.length === 0) return [];
  context.ownDeletion();
  return (await context.kernel.remove({ owner: 'peers', objects: strays })).operations;
}

const identify = (object: KernelObject): string =>
  object.kind === 'route' ? `route ${object.to}` : object.kind === 'nft-element' ? object.key : object.kind;

/** What bears the marks of peers: routes by their protocol, elements by their comment. */
export async function findPeerObjects(context: Context): Promise<KernelObject[]> {
  const routes = (await context.kernel.listRoutes()).filter(
    ({ protocol, table }) => protocol === peerProtocol && table === mainTable,
  );
  const elements = await listElements(context, 'peer_paths');
  return [
    ...elements
      .filter(({ comment }) => isPeerComment(comment))
      .map(({ key }) => ({ kind: 'nft-element', family: 'ip', table: tableName, set: 'peer_paths', key }) as const),
    ...routes.map(({ to, via, link }) => ({
      kind: 'route' as const,
      to,
      ...(via === undefined ? {} : { via }),
      ...(link === undefined ? {} : { link }),
      protocol: peerProtocol,
    })),
  ];
}
