/**
 * Links and routes of the host, known from one observation to the next: the kernel reports their changes. A container's
 * start changes none that is recorded for the host, so however many containers there are, these are not read again. Pure.
 */
import type { NetworkChange, ObservedNetworkState } from '@netyard/kernel';

export type HostParts = Pick<ObservedNetworkState, 'links' | 'routes'>;
type Link = HostParts['links'][number];
type Route = HostParts['routes'][number];

/** Addresses and routes that each IPv6 interface has; they are not recorded. */
export const isLinkLocal = (text: string): boolean => /^(?:fe[89ab]|ff)/.test(text);

/** linux/rtnetlink.h RT_TABLE_LOCAL: not recorded, either. */
const localTable = 255;

export class KnownHost {
  #known: HostParts | undefined;
  /** Without the kernel's reports, nothing is known. */
  #isWatched = false;
  /** A change was reported after which links and routes are read again. */
  #isStale = false;
  /** The last change of each link since the observation. */
  readonly #links = new Map<string, 'new' | 'del'>();

  /** @param isWatched whether each change of the host's network is passed to `note` from now on */
  watch(isWatched: boolean): void {
    this.#isWatched = isWatched;
    this.#isStale = true;
  }

  note(change: NetworkChange): void {
    if (change.type === 'link') this.#links.set(change.name, change.action);
    else if (change.type === 'address') this.#isStale ||= !isLinkLocal(change.prefix);
    else if (change.type === 'route') this.#isStale ||= !isLinkLocal(change.to) && change.table !== localTable;
    else this.#isStale ||= change.type === 'resync';
  }

  forget(): void {
    this.#isStale = true;
  }

  /**
   * What need not be read again; undefined if everything is. Called before the observation: what is reported meanwhile
   * counts for the next one.
   *
   * @param planned names of links that belong to containers
   */
  take(planned: ReadonlySet<string>): HostParts | undefined {
    const isKnown = this.#isWatched && !this.#isStale;
    this.#known = isKnown && this.#known ? this.#update(this.#known, planned) : undefined;
    this.#isStale = false;
    this.#links.clear();
    return this.#known;
  }

  /** Called with what was observed. */
  keep({ links, routes }: HostParts): void {
    this.#known = { links, routes: routes.filter(({ to }) => !isLinkLocal(to)) };
  }

  /** Links of containers come and go; what happens to others leads to an observation. */
  #update(known: HostParts, planned: ReadonlySet<string>): HostParts | undefined {
    const changed = this.#links;
    if (changed.size === 0) return known;
    for (const [name, action] of changed) if (action === 'new' && !planned.has(name)) return undefined;
    const isGone = ({ name }: Link): boolean => changed.get(name) === 'del';
    const hasAddress = ({ addresses }: Link): boolean => addresses.some(({ prefix }) => !isLinkLocal(prefix));
    // With a link that goes down, the kernel deletes its IPv4 routes without a report.
    const isChanged = ({ link }: Route): boolean => link !== undefined && changed.has(link);
    if (known.links.some((link) => isGone(link) && hasAddress(link)) || known.routes.some(isChanged)) return undefined;
    return { ...known, links: known.links.filter((link) => !isGone(link)) };
  }
}
