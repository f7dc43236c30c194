/**
 * Compares the kernel's events of elements that name an endpoint's interface on the host with the plan of its owner. So
 * the elements of a container that starts or stops cost the same whatever the number of others: no set is dumped.
 */
import type { KernelEvent } from '@netyard/kernel';
import type { Attachments } from '../attachments.ts';
import { type BridgeSet, bridgeSets } from '../firewall/bridge-table.ts';
import { encodeElementKey, linkOfElementKey } from '../firewall/element-key.ts';
import type { HostLinks } from '../host-links.ts';

/** Dependencies of the functions in this file. */
export interface EndpointElementsDependencies {
  readonly attachments: Pick<Attachments, 'plan'>;
  readonly hostLinks: Pick<HostLinks, 'ownerOf'>;
}

export interface ElementDrift {
  /** Owners of endpoints whose elements were deleted. */
  incomplete: ReadonlySet<string>;
  /** Elements were added that no plan contained in two comparisons. */
  hasUnplanned: boolean;
  /** Such elements are to be compared once more: their endpoint may be about to be removed. */
  isPending: boolean;
}

type ElementEvent = Pick<Extract<KernelEvent, { type: 'nft' }>, 'action' | 'family' | 'set' | 'keys'>;

/** Sets whose keys begin with the name of an endpoint's interface on the host. */
const keyedByHostLink: ReadonlySet<string> = new Set<BridgeSet>(
  bridgeSets.filter((set) => set !== 'relayed_ports' && set !== 'relayed_ports_any'),
);

/** Bytes of the number in the keys of these sets: an IPv6 address, a MAC. */
const numberLengths: ReadonlyMap<string, number> = new Map<BridgeSet, number>([
  ['endpoint_targets', 16],
  ['endpoint_lladdrs', 6],
]);

interface Change {
  action: ElementEvent['action'];
  link: string;
  /** No plan contained it in the last comparison. */
  wasUnplanned?: true;
}

export class EndpointElements {
  /** The last change of each element, by set and key. */
  readonly #changes = new Map<string, Change>();

  /** Notes an event for the next comparison. False for an element that does not name an endpoint's interface. */
  note({ action, family, set = '', keys = [] }: ElementEvent): boolean {
    if (family !== 'bridge' || !keyedByHostLink.has(set) || keys.length === 0) return false;
    for (const key of keys) this.#changes.set(identify(set, key), { action, link: linkOfElementKey(key) });
    return true;
  }

  /** Compares the elements that changed since the last call with the plans as they are now. */
  compare({ attachments, hostLinks }: EndpointElementsDependencies): ElementDrift {
    const plans = new Map<string, ReadonlySet<string>>();
    const planOf = (ownerId: string): ReadonlySet<string> => {
      const plan = plans.get(ownerId) ?? plannedElements(attachments, ownerId);
      plans.set(ownerId, plan);
      return plan;
    };
    const incomplete = new Set<string>();
    const pending: [string, Change][] = [];
    let hasUnplanned = false;
    for (const [id, { action, link, wasUnplanned }] of this.#changes) {
      const ownerId = hostLinks.ownerOf(link);
      const isPlanned = ownerId !== undefined && planOf(ownerId).has(id);
      if (action === 'del' && isPlanned) incomplete.add(ownerId);
      if (action === 'del' || isPlanned) continue;
      if (wasUnplanned) hasUnplanned = true;
      else pending.push([id, { action, link, wasUnplanned: true }]);
    }
    this.#changes.clear();
    for (const [id, change] of pending) this.#changes.set(id, change);
    return { incomplete, hasUnplanned, isPending: pending.length > 0 };
  }
}

const identify = (set: string, key: Uint8Array): string => `${set} ${Buffer.from(key).toString('hex')}`;

const plannedElements = (attachments: EndpointElementsDependencies['attachments'], ownerId: string): Set<string> =>
  new Set(
    attachments
      .plan(ownerId)
      .filter((object) => object.kind === 'nft-element')
      .filter(({ family, set }) => family === 'bridge' && keyedByHostLink.has(set))
      .map(({ set, key }) => identify(set, encodeElementKey(key, numberLengths.get(set)))),
  );
