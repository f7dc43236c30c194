/**
 * Dependencies of plan objects: namespaces and links. An object whose dependency is absent is absent too, and one whose
 * dependency is deleted is deleted with it; this saves queries and requests. Pure.
 */
import type {
  BridgeObject,
  DummyObject,
  IpvlanObject,
  KernelObject,
  MacvlanObject,
  VethObject,
  VlanObject,
  VxlanObject,
} from '../desired.ts';
import { namespaceOf } from '../system/identity.ts';

/** A set of namespaces (by path) and links (by `ns NUL name`). */
export class Dependencies {
  readonly #netns = new Set<string>();
  readonly #links = new Set<string>();

  /** Adds the namespace or links that an object provides to others. */
  add(object: KernelObject): void {
    if (object.kind === 'netns') this.#netns.add(object.path);
    if (isLink(object)) this.#links.add(linkKey(object.ns, object.name));
    if (object.kind === 'veth') this.#links.add(linkKey(object.peer.ns, object.peer.name));
  }

  /** Whether the object depends on a member of this set. */
  isDependencyOf(object: KernelObject): boolean {
    const ns = namespaceOf(object);
    if (ns !== undefined && this.#netns.has(ns)) return true;
    const link = linkDependency(object);
    return link !== undefined && this.#links.has(linkKey(ns, link));
  }
}

/**
 * Objects whose dependencies are not deleted by the same plan: those that `remove` has to delete one by one. Veth pairs,
 * macvlan and ipvlan links are always included, because the other end or the parent may be outside the deleted namespace,
 * and the kernel deletes a namespace's links later: until then the parent rejects a link with the same MAC or address.
 */
export function independentObjects(objects: readonly KernelObject[]): KernelObject[] {
  const deleted = new Dependencies();
  for (const object of objects) if (object.kind !== 'bridge' || !object.keep) deleted.add(object);
  return objects.filter(
    (object) => ['veth', 'macvlan', 'ipvlan'].includes(object.kind) || !deleted.isDependencyOf(object),
  );
}

type LinkObject = BridgeObject | VethObject | VxlanObject | MacvlanObject | IpvlanObject | VlanObject | DummyObject;

const isLink = (object: KernelObject): object is LinkObject =>
  ['bridge', 'veth', 'vxlan', 'macvlan', 'ipvlan', 'vlan', 'dummy'].includes(object.kind);

const linkKey = (ns: string | undefined, name: string): string => `${ns ?? ''}\0${name}`;

/** The link whose settings a key such as `net.ipv4.conf.eth0/100.rp_filter` names; a slash stands for a dot. */
const linkOfSysctl = (key: string): string | undefined =>
  /^net\.ipv[46]\.(?:conf|neigh)\.([^.]+)\./.exec(key)?.[1]?.replaceAll('/', '.');

function linkDependency(object: KernelObject): string | undefined {
  switch (object.kind) {
    case 'address':
    case 'neighbour':
    case 'neighbour-proxy':
    case 'route':
    case 'fdb':
      return object.link;
    case 'link-state':
      return object.name;
    case 'sysctl':
      return linkOfSysctl(object.key);
    default:
      return undefined;
  }
}
