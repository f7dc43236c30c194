/** Resolves the target of a capture to a network namespace and an interface in it. */
import { NetyardError } from '@netyard/core';
import type { Kernel, ObservedLink } from '@netyard/kernel';
import { ownerPrefix, segmentOfLink } from '@netyard/network';
import type { KnownPeers } from '@netyard/peers';
import type { CaptureInterface, CaptureRequest } from '../capture-contract.ts';
import type { ContainerDirectory, EndpointState, NetworkRecord, NetworkSettings } from '../contract.ts';
import { bridgeOf, networkOf, type Sandbox, sandboxOf } from '../lookup.ts';

/** Dependencies of the functions in this file. */
export interface InterfaceDependencies {
  readonly kernel: Kernel;
  readonly containers: ContainerDirectory;
  readonly settings: NetworkSettings;
  readonly networks: Map<string, NetworkRecord>;
  readonly sandboxes: Map<string, Sandbox>;
  readonly peers: KnownPeers;
  mtuLimit: number | undefined;
}

/** The target that names this host's uplink. */
export const uplinkTarget = 'uplink';
const mainTable = 254;

/** A target and the interfaces to choose from. */
interface Candidates {
  kind: CaptureInterface['kind'];
  name: string;
  id: string;
  /** Absent: the namespace of this process. */
  ns?: string;
  /** For error messages: `container web`. */
  description: string;
  links: readonly ObservedLink[];
  /** Used when the request names no interface; undefined: there is no unambiguous default. */
  defaultLink: string | undefined;
}

export interface FoundInterface extends CaptureInterface {
  ns?: string;
}

/** Throws `not-found`, and `conflict` for a target that has no interface now; with a hint where there is a fix. */
export async function findInterface(
  context: InterfaceDependencies,
  { target, link }: CaptureRequest,
): Promise<FoundInterface> {
  const { links, defaultLink, description, ...found } = await findCandidates(context, target);
  const chosen = link ?? defaultLink;
  if (chosen === undefined)
    throw new NetyardError('conflict', `${description} cannot be determined`, chooseHint(links));
  const known = links.find(({ name }) => name === chosen);
  if (!known) throw new NetyardError('not-found', `${description} has no interface ${chosen}`, chooseHint(links));
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

async function findCandidates(context: InterfaceDependencies, target: string): Promise<Candidates> {
  if (target === uplinkTarget) return await findUplink(context);
  const containerId = context.containers.find(target);
  if (containerId !== undefined && context.sandboxes.has(containerId)) return await ofContainer(context, containerId);
  return await ofNetwork(context, target);
}

async function ofContainer(context: InterfaceDependencies, containerId: string): Promise<Candidates> {
  const { config, state } = sandboxOf(context, containerId);
  const named = {
    kind: 'container',
    name: config.name,
    id: containerId,
    description: `container ${config.name}`,
  } as const;
  if (!state)
    throw new NetyardError('conflict', `Container ${config.name} is not running`, {
      hint: `run \`docker start ${config.name}\` first`,
    });
  const { netnsPath: ns } = state;
  if (ns === undefined) return { ...(await findUplink(context)), ...named }; // mode host
  const links = await context.kernel.listLinks(ns);
  const owner = state.sharedWith === undefined ? state : context.sandboxes.get(state.sharedWith)?.state;
  return { ...named, ns, links, defaultLink: selectDefaultLink(links, owner?.endpoints ?? []) };
}

/** The interface of the first network; else one that another program created in the namespace; else `lo`. */
function selectDefaultLink(links: readonly ObservedLink[], endpoints: readonly EndpointState[]): string | undefined {
  const names = links.map(({ name }) => name);
  const preferred = [...endpoints.map(({ link }) => link), ...names.filter((name) => name !== 'lo'), 'lo'];
  return preferred.find((name) => names.includes(name));
}

async function ofNetwork(context: InterfaceDependencies, target: string): Promise<Candidates> {
  const record = networkNamed(context, target);
  const bridge = bridgeOf(context, record.id);
  if (!bridge)
    throw new NetyardError('conflict', `network ${record.name} has no interface of its own`, {
      hint: `capture on ${uplinkTarget}, or on a container`,
    });
  const isBridge = ({ name, kind }: ObservedLink): boolean =>
    name === bridge.link || (kind === 'bridge' && segmentOfLink(name)?.networkPrefix === record.id.slice(0, 10));
  const links = (await context.kernel.listLinks()).filter(isBridge);
  return {
    ...{ kind: 'network', name: record.name, id: record.id, description: `network ${record.name}` },
    ...{ links, defaultLink: bridge.link },
  };
}

function networkNamed(context: InterfaceDependencies, target: string): NetworkRecord {
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

/** For `PEER/NAME` with an unknown peer. Captures on known peers are forwarded to them and never get here. */
function unknownPeer({ peers }: InterfaceDependencies, name: string, cause: unknown): NetyardError {
  const refusal = peers.refusalOf(name);
  if (refusal !== undefined) return new NetyardError('conflict', `peer ${name} is refused: ${refusal}`, { cause });
  return new NetyardError('not-found', `No such peer: ${name}`, {
    cause,
    hint: 'run `netyard peer ls` to list the peers; name targets on this host without a host',
  });
}

/** The interface of the default route; without one, the only interface with an address that Netyard did not create. */
async function findUplink({ kernel }: InterfaceDependencies): Promise<Candidates> {
  const links = await kernel.listLinks();
  const routes = await kernel.listRoutes();
  const defaults = routes.filter(({ table, to, link }) => table === mainTable && isDefault(to) && link !== undefined);
  const [best] = defaults.sort((a, b) => (a.metric ?? 0) - (b.metric ?? 0));
  const addressed = new Set((await kernel.listAddresses()).map(({ linkIndex }) => linkIndex));
  const foreign = links.filter(
    ({ index, name, owner }) => addressed.has(index) && name !== 'lo' && !owner?.startsWith(ownerPrefix),
  );
  const only = foreign.length === 1 ? foreign[0]?.name : undefined;
  const defaultLink = best?.link ?? only;
  return { kind: 'uplink', name: '', id: '', description: "this host's uplink", links, defaultLink };
}

const isDefault = (to: string): boolean => ['default', '0.0.0.0/0', '::/0'].includes(to);
