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
  /** Elements were added that no plan contained in several comparisons. */
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
  /** Consecutive comparisons in which no plan contained it. */
  unplanned: number;
  /** Its endpoint was being attached or removed in the last one. */
  wasUnsettled: boolean;
}

/** An element counts as another program's after so many comparisons. */
const comparisons = 2;
/**
 * The same while its endpoint is attached or removed: it is in no plan, and its elements are deleted after its interface,
 * which takes the kernel longer than the time between two comparisons.
 */
const comparisonsOfUnsettled = 20;

/** Elements of an owner in its plan, and the interfaces that they name. */
interface PlannedElements {
  ids: ReadonlySet<string>;
  links: ReadonlySet<string>;
}

export class EndpointElements {
  /** The last change of each element, by set and key. */
  readonly #changes = new Map<string, Change>();

  /** Notes an event for the next comparison. False for an element that does not name an endpoint's interface. */
  note({ action, family, set = '', keys = [] }: ElementEvent): boolean {
    if (family !== 'bridge' || !keyedByHostLink.has(set) || keys.length === 0) return false;
    for (const key of keys) {
      this.#changes.set(identify(set, key), { action, link: linkOfElementKey(key), unplanned: 0, wasUnsettled: false });
    }
    return true;
  }

  /** Compares the elements that changed since the last call with the plans as they are now. */
  compare({ attachments, hostLinks }: EndpointElementsDependencies): ElementDrift {
    const plans = new Map<string, PlannedElements>();
    const planOf = (ownerId: string): PlannedElements => {
      const plan = plans.get(ownerId) ?? plannedElements(attachments, ownerId);
      plans.set(ownerId, plan);
      return plan;
    };
    const incomplete = new Set<string>();
    const pending: [string, Change][] = [];
    let hasUnplanned = false;
    for (const [id, { action, link, unplanned, wasUnsettled }] of this.#changes) {
      const ownerId = hostLinks.ownerOf(link);
      const plan = ownerId === undefined ? undefined : planOf(ownerId);
      const isPlanned = plan?.ids.has(id) === true;
      if (action === 'del' && isPlanned && ownerId !== undefined) incomplete.add(ownerId);
      if (action === 'del' || isPlanned) continue;
      const isUnsettled = plan !== undefined && !plan.links.has(link);
      // The event of its deletion may still be unread when its endpoint has just been removed: counted anew.
      const count = (wasUnsettled && !isUnsettled ? 0 : unplanned) + 1;
      if (count >= (isUnsettled ? comparisonsOfUnsettled : comparisons)) hasUnplanned = true;
      else pending.push([id, { action, link, unplanned: count, wasUnsettled: isUnsettled }]);
    }
    this.#changes.clear();
    for (const [id, change] of pending) this.#changes.set(id, change);
    return { incomplete, hasUnplanned, isPending: pending.length > 0 };
  }
}

const identify = (set: string, key: Uint8Array): string => `${set} ${Buffer.from(key).toString('hex')}`;

function plannedElements(attachments: EndpointElementsDependencies['attachments'], ownerId: string): PlannedElements {
  const ids = new Set<string>();
  const links = new Set<string>();
  for (const object of attachments.plan(ownerId)) {
    if (object.kind !== 'nft-element' || object.family !== 'bridge' || !keyedByHostLink.has(object.set)) continue;
    const key = encodeElementKey(object.key, numberLengths.get(object.set));
    ids.add(identify(object.set, key));
    links.add(linkOfElementKey(key));
  }
  return { ids, links };
}
