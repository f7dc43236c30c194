/** Finds sandboxes by reference, and saves them. */
import { NetyardError } from '@netyard/core';
import type { EndpointState, NetworkStore, SandboxConfig, SandboxState } from './contract.ts';

export { bridgeOf, capabilitiesOfNamed, networkOf, plannerOf } from '@netyard/network';

/** The network side of one container: its config, and its state while it runs. */
export interface Sandbox {
  config: SandboxConfig;
  state: SandboxState | undefined;
  /** The endpoint that is being detached, until that is stored: its network cannot be removed meanwhile. */
  detaching?: EndpointState;
}

/** Throws `not-found` with Docker's message. */
export function sandboxOf(context: { readonly sandboxes: ReadonlyMap<string, Sandbox> }, containerId: string): Sandbox {
  const sandbox = context.sandboxes.get(containerId);
  if (sandbox) return sandbox;
  throw new NetyardError('not-found', `No such container: ${containerId}`);
}

export function save(context: { readonly store: NetworkStore }, sandbox: Sandbox): void {
  context.store.putSandbox(sandbox.config, sandbox.state);
}
