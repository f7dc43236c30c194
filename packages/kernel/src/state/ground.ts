/**
 * What wanted objects stand on: namespaces and links. What stands on something absent is absent, and what stands on
 * something that is deleted goes with it; knowing that saves asking and ordering. Pure.
 */
import type { KernelObject } from '../desired.ts';
import { namespaceOf } from '../system/identity.ts';

/** Namespaces by path, links by `ns NUL name`. */
export class Dependencies {
  readonly #netns = new Set<string>();
  readonly #links = new Set<string>();

  /** Takes in what an object would provide to others. */
  add(object: KernelObject): void {
    if (object.kind === 'netns') this.#netns.add(object.path);
    if (object.kind === 'bridge' || object.kind === 'veth' || object.kind === 'vxlan')
      this.#links.add(linkKey(object.ns, object.name));
    if (object.kind === 'veth') this.#links.add(linkKey(object.peer.ns, object.peer.name));
  }

  /** Whether the object stands on something in here. */
  carries(object: KernelObject): boolean {
    const ns = namespaceOf(object);
    if (ns !== undefined && this.#netns.has(ns)) return true;
    const link = linkUnder(object);
    return link !== undefined && this.#links.has(linkKey(ns, link));
  }
}

/**
 * Objects whose ground is not deleted by the same plan: those that `remove` has to delete one by one. A pair with its
 * other end outside a vanishing namespace is deleted at once, not when the kernel gets to it.
 */
export function independentObjects(objects: readonly KernelObject[]): KernelObject[] {
  const going = new Dependencies();
  for (const object of objects) going.add(object);
  return objects.filter((object) => object.kind === 'veth' || !going.carries(object));
}

const linkKey = (ns: string | undefined, name: string): string => `${ns ?? ''}\0${name}`;

function linkUnder(object: KernelObject): string | undefined {
  switch (object.kind) {
    case 'address':
    case 'neighbour':
    case 'route':
    case 'fdb':
      return object.link;
    case 'link-state':
      return object.name;
    default:
      return undefined;
  }
}
