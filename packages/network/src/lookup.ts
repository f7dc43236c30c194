/** Finds sandboxes, networks and bridges by what callers name them by. */
import { NetyardError } from '@netyard/core';
import { type BridgeSettings, bridgeSettings } from './bridge-settings.ts';
import type { NetworkRecord, NetworkSettings, NetworkStore, SandboxConfig, SandboxState } from './contract.ts';

/** One container's network side: what is wanted, and while it runs what it has. */
export interface Sandbox {
  config: SandboxConfig;
  state: SandboxState | undefined;
}

/** What the functions of this file read; each takes the part that it needs. */
interface NetworkState {
  readonly networks: ReadonlyMap<string, NetworkRecord>;
  readonly sandboxes: ReadonlyMap<string, Sandbox>;
  readonly settings: NetworkSettings;
  readonly store: NetworkStore;
  mtuLimit: number | undefined;
}

/** Throws `not-found` with Docker's message. */
export function sandboxOf(context: Pick<NetworkState, 'sandboxes'>, containerId: string): Sandbox {
  const sandbox = context.sandboxes.get(containerId);
  if (sandbox) return sandbox;
  throw new NetyardError('not-found', `No such container: ${containerId}`);
}

/** By id, name or unambiguous id prefix. Throws `not-found`: `network X not found`. */
export function networkOf(context: Pick<NetworkState, 'networks'>, ref: string): NetworkRecord {
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
export function bridgeOf(
  context: Pick<NetworkState, 'networks' | 'settings' | 'mtuLimit'>,
  networkId: string,
): BridgeSettings | undefined {
  const record = context.networks.get(networkId);
  if (record?.driver !== 'bridge') return undefined;
  const bridge = bridgeSettings(record);
  // An MTU that was asked for stays: what does not fit is told of by ICMP, and TCP is fitted anyway.
  const limit = context.settings.mtu > 0 ? undefined : context.mtuLimit;
  return limit === undefined || bridge.mtu <= limit ? bridge : { ...bridge, mtu: limit };
}

export function save(context: Pick<NetworkState, 'store'>, sandbox: Sandbox): void {
  context.store.putSandbox(sandbox.config, sandbox.state);
}
