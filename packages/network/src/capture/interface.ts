/** Finds the link that a capture's target means: which namespace, which link, what is known of it. */
import { NetyardError } from '@netyard/core';
import type { Kernel, ObservedLink } from '@netyard/kernel';
import type { CaptureInterface, CaptureRequest } from '../capture-contract.ts';
import type { ContainerDirectory, EndpointState, NetworkRecord, NetworkSettings } from '../contract.ts';
import type { Sandbox } from '../lookup.ts';
import { bridgeOf, networkOf, sandboxOf } from '../lookup.ts';
import { ownerPrefix } from '../object-names.ts';
import type { PeerTable } from '../peers/table.ts';

/** What the functions of this file work on. */
export interface PlaceDependencies {
  readonly kernel: Kernel;
  readonly containers: ContainerDirectory;
  readonly settings: NetworkSettings;
  readonly networks: Map<string, NetworkRecord>;
  readonly sandboxes: Map<string, Sandbox>;
  readonly peers: PeerTable;
  mtuLimit: number | undefined;
}

/** The uplink's name as a target. */
export const uplinkTarget = 'uplink';
const mainTable = 254;

/** A target, and the links to choose from. */
interface Candidates {
  kind: CaptureInterface['kind'];
  name: string;
  id: string;
  /** Absent: this process's own. */
  ns?: string;
  /** For errors: `container web`. */
  words: string;
  links: readonly ObservedLink[];
  /** Without a wish; absent: there is no telling. */
  usual: string | undefined;
}

export interface FoundInterface extends CaptureInterface {
  ns?: string;
}

/** Throws `not-found`, and `conflict` for what has no link now; all with a hint where there is a way. */
export async function findInterface(
  context: PlaceDependencies,
  { target, link }: CaptureRequest,
): Promise<FoundInterface> {
  const { links, usual, words, ...found } = await findCandidates(context, target);
  const chosen = link ?? usual;
  if (chosen === undefined) throw new NetyardError('conflict', `${words} is not to be told`, chooseHint(links));
  const known = links.find(({ name }) => name === chosen);
  if (!known) throw new NetyardError('not-found', `${words} has no link ${chosen}`, chooseHint(links));
  const addresses = await context.kernel.listAddresses(found.ns);
  return {
    ...found,
    ...(found.kind === 'uplink' ? { name: chosen } : {}),
    link: chosen,
    mac: known.mac ?? '',
    addresses: addresses.filter(({ linkIndex }) => linkIndex === known.index).map(({ prefix }) => prefix),
    otherLinks: links.map(({ name }) => name).filter((name) => name !== 'lo' && name !== chosen),
  };
}

const chooseHint = (links: readonly ObservedLink[]): { hint: string } => ({
  hint: `name one with -i: ${links.map(({ name }) => name).join(', ')}`,
});

async function findCandidates(context: PlaceDependencies, target: string): Promise<Candidates> {
  if (target === uplinkTarget) return await findUplink(context);
  const containerId = context.containers.find(target);
  if (containerId !== undefined && context.sandboxes.has(containerId)) return await ofContainer(context, containerId);
  return await ofNetwork(context, target);
}

async function ofContainer(context: PlaceDependencies, containerId: string): Promise<Candidates> {
  const { config, state } = sandboxOf(context, containerId);
  const named = { kind: 'container', name: config.name, id: containerId, words: `container ${config.name}` } as const;
  if (!state)
    throw new NetyardError('conflict', `Container ${config.name} is not running`, {
      hint: `docker start ${config.name} first`,
    });
  const { netnsPath: ns } = state;
  if (ns === undefined) return { ...(await findUplink(context)), ...named }; // mode host
  const links = await context.kernel.listLinks(ns);
  const owner = state.sharedWith === undefined ? state : context.sandboxes.get(state.sharedWith)?.state;
  return { ...named, ns, links, usual: usualLink(links, owner?.endpoints ?? []) };
}

/** That of the first network, else what somebody has put there, else `lo`. */
function usualLink(links: readonly ObservedLink[], endpoints: readonly EndpointState[]): string | undefined {
  const names = links.map(({ name }) => name);
  const wanted = [...endpoints.map(({ link }) => link), ...names.filter((name) => name !== 'lo'), 'lo'];
  return wanted.find((name) => names.includes(name));
}

async function ofNetwork(context: PlaceDependencies, target: string): Promise<Candidates> {
  const record = networkNamed(context, target);
  const bridge = bridgeOf(context, record.id);
  if (!bridge)
    throw new NetyardError('conflict', `network ${record.name} has no link of its own`, {
      hint: `capture on ${uplinkTarget}, or on a container`,
    });
  const links = (await context.kernel.listLinks()).filter(({ name }) => name === bridge.link);
  return {
    ...{ kind: 'network', name: record.name, id: record.id, words: `network ${record.name}` },
    ...{ links, usual: bridge.link },
  };
}

function networkNamed(context: PlaceDependencies, target: string): NetworkRecord {
  try {
    return networkOf(context, target);
  } catch (cause) {
    const [, peer] = /^([^/]+)\/./.exec(target) ?? [];
    throw peer === undefined ? unknownTarget(target, cause) : unknownPeer(context, peer, cause);
  }
}

const unknownTarget = (target: string, cause: unknown): NetyardError =>
  new NetyardError('not-found', `No such container or network: ${target}`, {
    cause,
    hint: `a target is a container, a network, or ${uplinkTarget}; PEER/NAME on a peer`,
  });

/** `PEER/NAME` with a peer that is none: whoever is one was asked before. */
function unknownPeer({ peers }: PlaceDependencies, name: string, cause: unknown): NetyardError {
  const refused = peers.refused.get(name);
  if (refused) return new NetyardError('conflict', `peer ${name} is refused: ${refused.problem}`, { cause });
  return new NetyardError('not-found', `No such peer: ${name}`, {
    cause,
    hint: `netyard peer ls shows those that there are; what is on this host is named without a host`,
  });
}

/** The link of the default route; without one, the only link with an address that is not ours. */
async function findUplink({ kernel }: PlaceDependencies): Promise<Candidates> {
  const links = await kernel.listLinks();
  const routes = await kernel.listRoutes();
  const defaults = routes.filter(({ table, to, link }) => table === mainTable && isDefault(to) && link !== undefined);
  const [best] = defaults.sort((a, b) => (a.metric ?? 0) - (b.metric ?? 0));
  const addressed = new Set((await kernel.listAddresses()).map(({ linkIndex }) => linkIndex));
  const strangers = links.filter(
    ({ index, name, owner }) => addressed.has(index) && name !== 'lo' && !owner?.startsWith(ownerPrefix),
  );
  const only = strangers.length === 1 ? strangers[0]?.name : undefined;
  return { kind: 'uplink', name: '', id: '', words: "this host's uplink", links, usual: best?.link ?? only };
}

const isDefault = (to: string): boolean => ['default', '0.0.0.0/0', '::/0'].includes(to);
