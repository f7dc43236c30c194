/**
 * Dependencies of plan objects: namespaces and links. An object whose dependency is absent is absent too, and one whose
 * dependency is deleted is deleted with it; this saves queries and requests. Pure.
 */
import type { KernelObject } from '../desired.ts';
import { namespaceOf } from '../system/identity.ts';

/** A set of namespaces (by path) and links (by `ns NUL name`). */
export class Dependencies {
  readonly #netns = new Set<string>();
  readonly #links = new Set<string>();

  /** Adds the namespace or links that an object provides to others. */
  add(object: KernelObject): void {
    if (object.kind === 'netns') this.#netns.add(object.path);
    if (object.kind === 'bridge' || object.kind === 'veth' || object.kind === 'vxlan')
      this.#links.add(linkKey(object.ns, object.name));
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
 * Objects whose dependencies are not deleted by the same plan: those that `remove` has to delete one by one. A veth
 * pair is always included, because its other end may be outside the deleted namespace, and the kernel deletes a
 * namespace's links later.
 */
export function independentObjects(objects: readonly KernelObject[]): KernelObject[] {
  const deleted = new Dependencies();
  for (const object of objects) deleted.add(object);
  return objects.filter((object) => object.kind === 'veth' || !deleted.isDependencyOf(object));
}

const linkKey = (ns: string | undefined, name: string): string => `${ns ?? ''}\0${name}`;

/** The link whose settings a key such as `net.ipv4.conf.eth0/100.rp_filter` names; a slash stands for a dot. */
const linkOfSysctl = (key: string): string | undefined =>
  /^net\.ipv[46]\.(?:conf|neigh)\.([^.]+)\./.exec(key)?.[1]?.replaceAll('/', '.');

function linkDependency(object: KernelObject): string | undefined {
  switch (object.kind) {
    case 'address':
    case 'neighbour':
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
