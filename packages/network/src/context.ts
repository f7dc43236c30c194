/**
 * What every operation works on: the plugs, the settings, and the state in memory (what the store has, plus what can
 * only be held by a living process: port sockets and queues). One value made by open.ts; nothing here is global.
 */
import { type Clock, type KeyedQueue, type Logger, NetyardError } from '@netyard/core';
import type { Kernel, NftRuleObject } from '@netyard/kernel';
import type {
  ContainerDirectory,
  LinkRecord,
  NetworkEvent,
  NetworkRecord,
  NetworkSettings,
  NetworkStore,
  SandboxConfig,
  SandboxState,
} from './contract.ts';
import type { AddressPool } from './ipam/pool.ts';
import type { LinkIndex } from './links/index.ts';
import type { Departures } from './operations/departures.ts';
import type { Insides } from './operations/inside.ts';
import type { Names } from './operations/names.ts';
import type { Traffic } from './operations/peer-traffic.ts';
import type { RemoteLinks } from './operations/remote-links.ts';
import type { HostView } from './peers/place.ts';
import type { PeerTable } from './peers/table.ts';
import type { HostFacts } from './plan/bridge-network.ts';
import { type BridgeSettings, bridgeSettings } from './plan/bridge-settings.ts';
import type { Tunnel } from './plan/tunnel.ts';
import type { PortRange } from './ports/choose.ts';
import type { PortTable } from './ports/table.ts';

/** One container's network side: what is wanted, and while it runs what it has. */
export interface Sandbox {
  config: SandboxConfig;
  state: SandboxState | undefined;
}

export interface Context {
  readonly kernel: Kernel;
  readonly store: NetworkStore;
  readonly containers: ContainerDirectory;
  readonly settings: NetworkSettings;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly networks: Map<string, NetworkRecord>;
  readonly sandboxes: Map<string, Sandbox>;
  readonly peers: PeerTable;
  /** What the kernel last told of the host; dropped by the watcher when that may have changed. */
  hostView: HostView | undefined;
  /** Of peers by name, as last looked at. */
  traffic: ReadonlyMap<string, Traffic>;
  /** As it was last made; and the index of its link. */
  tunnel: Tunnel | undefined;
  tunnelIndex: number | undefined;
  /** No link of a container carries more, so that what it sends fits through the tunnel. */
  mtuLimit: number | undefined;
  /** Accept rules in other programs' forward chains, and which of those chains cut the bridges off nevertheless. */
  foreign: { rules: readonly NftRuleObject[]; blocks: readonly string[] };
  readonly links: LinkIndex;
  /** Links whose target is gone: a container of the same name takes its place. */
  readonly dangling: Set<LinkRecord>;
  /** By network id; only networks that give out addresses. */
  readonly pools: Map<string, AddressPool>;
  readonly ports: PortTable;
  /** Host side of each endpoint's link, and whose it is. */
  readonly hostLinks: Map<string, string>;
  readonly departures: Departures;
  readonly insides: Insides;
  readonly names: Names;
  readonly remoteLinks: RemoteLinks;
  /** One piece of work at a time per container. */
  readonly queue: KeyedQueue;
  facts: HostFacts;
  dynamicPorts: PortRange;
  emit(event: Omit<NetworkEvent, 'type'>): void;
  /** Called when elements come or go on purpose, so that the watcher does not take it for another program's doing. */
  ownDeletion(): void;
}

/** Throws `not-found` with Docker's words. */
export function sandboxOf(context: Context, containerId: string): Sandbox {
  const sandbox = context.sandboxes.get(containerId);
  if (sandbox) return sandbox;
  throw new NetyardError('not-found', `No such container: ${containerId}`);
}

/** By id, name or unambiguous id prefix. Throws `not-found`: `network X not found`. */
export function networkOf(context: Context, ref: string): NetworkRecord {
  const exact = context.networks.get(ref);
  if (exact) return exact;
  const wanted = ref === 'default' ? 'bridge' : ref;
  const records = [...context.networks.values()];
  const named = records.find((record) => record.name === wanted);
  if (named) return named;
  const matches = ref === '' ? [] : records.filter((record) => record.id.startsWith(ref));
  if (matches.length > 1) {
    const count = `${matches.length} matches found based on ID prefix`;
    throw new NetyardError('invalid', `network ${ref} is ambiguous (${count})`);
  }
  if (matches[0]) return matches[0];
  throw new NetyardError('not-found', `network ${ref} not found`);
}

/** Undefined for networks without a bridge (host, none). */
export function bridgeOf(context: Context, networkId: string): BridgeSettings | undefined {
  const record = context.networks.get(networkId);
  if (record?.driver !== 'bridge') return undefined;
  const bridge = bridgeSettings(record);
  // An MTU that was asked for stays: what does not fit is told of by ICMP, and TCP is fitted anyway.
  const limit = context.settings.mtu > 0 ? undefined : context.mtuLimit;
  return limit === undefined || bridge.mtu <= limit ? bridge : { ...bridge, mtu: limit };
}

export function save(context: Context, sandbox: Sandbox): void {
  context.store.putSandbox(sandbox.config, sandbox.state);
}
