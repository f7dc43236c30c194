/**
 * What is attached to the networks: containers, and namespaces without one. This host's side of the package knows only
 * their endpoints and published ports. Implemented in operations/attachments.ts and endpoints/attachments.ts.
 */
import type { KernelObject, KernelOperation } from '@netyard/kernel';
import type { MtuChange } from '@netyard/peers';
import type { EndpointState, PublishedPort } from './contract.ts';

/** An owner of endpoints, while it runs. */
export interface Attached {
  id: string;
  /** For messages. */
  name: string;
  /** Path of its namespace, which it may share with the namespace's owner; absent for the host's own. */
  netnsPath?: string;
  endpoints: readonly EndpointState[];
  /** No endpoint of it any more, but still one in the store: a daemon that is killed would find it again. */
  detaching?: EndpointState;
  ports: readonly PublishedPort[];
}

export interface Attachments {
  /** Ids of all owners, running or not. */
  ids(): Iterable<string>;
  running(): Attached[];
  /** Undefined for one that does not run. */
  get(id: string): Attached | undefined;
  /** The desired kernel objects of a running owner, without files, which it may have changed. */
  plan(id: string): KernelObject[];
  /** Compares and repairs the kernel objects of one owner, in its queue. Returns the operations. */
  repair(id: string): Promise<KernelOperation[]>;
  /** Applies the networks' MTU, limited as the change says, to the interfaces of all running owners. A failure is logged. */
  applyMtu(change: MtuChange): Promise<void>;
}

/** Two kinds of owners as one; their ids are distinct. */
export function unite(first: Attachments, second: Attachments): Attachments {
  const of = (id: string): Attachments => (second.get(id) ? second : first);
  return {
    *ids() {
      yield* first.ids();
      yield* second.ids();
    },
    running: () => [...first.running(), ...second.running()],
    get: (id) => first.get(id) ?? second.get(id),
    plan: (id) => of(id).plan(id),
    repair: (id) => of(id).repair(id),
    async applyMtu(change) {
      await first.applyMtu(change);
      await second.applyMtu(change);
    },
  };
}
