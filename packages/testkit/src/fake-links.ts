/** The links of the fake kernel: which exist in which namespace, which objects depend on them. */
import {
  type AddressObject,
  type KernelObject,
  type LinkStateObject,
  namespaceOf,
  type ObservedLink,
} from '@netyard/kernel';

export class FakeLinks {
  readonly #initial: readonly string[];

  constructor(initial: readonly string[]) {
    this.#initial = initial;
  }

  /** The interfaces of one namespace; each one has `lo`. Indexes follow the order of creation. */
  list(objects: readonly KernelObject[], ns: string | undefined): ObservedLink[] {
    const names = ns === undefined ? this.#initial : ['lo'];
    const initial = names.map((name) => ({ name, up: true, kind: undefined as string | undefined, object: undefined }));
    const created = objects.flatMap((object) => linksOf(object).filter((link) => link.ns === ns));
    return [...initial, ...created].map((link, index) => ({
      index: index + 1,
      name: link.name,
      mtu: 1500,
      up: link.up,
      running: link.up,
      ...(link.kind === undefined ? {} : { kind: link.kind }),
      ...(link.object?.owner === undefined ? {} : { owner: link.object.owner }),
    }));
  }

  exists(objects: readonly KernelObject[], name: string, ns: string | undefined): boolean {
    return this.list(objects, ns).some((link) => link.name === name);
  }

  /** Interfaces that must exist before the object can be created. */
  neededBy(object: KernelObject): string[] {
    if (isOnLink(object)) return [object.link];
    if (object.kind === 'route') return object.link === undefined ? [] : [object.link];
    if (object.kind === 'veth') return object.master === undefined ? [] : [object.master];
    return object.kind === 'link-state' ? [object.name] : [];
  }
}

type OnLink = Extract<KernelObject, { kind: 'address' | 'neighbour' | 'neighbour-proxy' | 'fdb' }>;

const isOnLink = (object: KernelObject): object is OnLink =>
  ['address', 'neighbour', 'neighbour-proxy', 'fdb'].includes(object.kind);

interface FakeLink {
  name: string;
  ns: string | undefined;
  up: boolean;
  kind: string;
  object: { owner?: string };
}

function linksOf(object: KernelObject): FakeLink[] {
  const isLink =
    object.kind === 'bridge' ||
    object.kind === 'veth' ||
    object.kind === 'vxlan' ||
    object.kind === 'macvlan' ||
    object.kind === 'ipvlan' ||
    object.kind === 'vlan' ||
    object.kind === 'dummy';
  if (!isLink) return [];
  const own: FakeLink = {
    name: object.name,
    ns: object.ns,
    up: object.up,
    kind: object.kind,
    object: 'owner' in object ? object : {},
  };
  if (object.kind !== 'veth') return [own];
  return [own, { name: object.peer.name, ns: object.peer.ns, up: object.peer.up, kind: 'veth', object: {} }];
}

/** Objects that the kernel deletes together with an object: those in a namespace, on a link, in a table. */
export function dependentsOf(deleted: KernelObject, objects: readonly KernelObject[]): KernelObject[] {
  if (deleted.kind === 'netns') return objects.filter((object) => isInNamespace(object, deleted.path));
  if (deleted.kind === 'nft-table') {
    return objects.filter(
      (object) =>
        object.kind === 'nft-element' &&
        object.ns === deleted.ns &&
        object.family === deleted.family &&
        object.table === deleted.name,
    );
  }
  return linksOf(deleted).flatMap((link) => objects.filter((object) => dependsOn(object, link)));
}

const isInNamespace = (object: KernelObject, path: string): boolean =>
  namespaceOf(object) === path || (object.kind === 'veth' && object.peer.ns === path);

function dependsOn(object: KernelObject, link: FakeLink): boolean {
  if (namespaceOf(object) !== link.ns) return false;
  if (isOnLink(object) || object.kind === 'route') return object.link === link.name;
  if (object.kind === 'sysctl') return /^net\.ipv[46]\.(?:conf|neigh)\.(.+)\.\w+$/.exec(object.key)?.[1] === link.name;
  return object.kind === 'link-state' && object.name === link.name;
}

/** The kernel adds it as soon as `lo` is up. */
export const isLoopbackAddress = (object: KernelObject): object is AddressObject =>
  object.kind === 'address' && object.link === 'lo' && ['127.0.0.1/8', '::1/128'].includes(object.prefix);

export const loopbackUp = (ns: string | undefined): LinkStateObject => ({
  ...{ kind: 'link-state', name: 'lo', up: true },
  ...(ns === undefined ? {} : { ns }),
});

/** The object without the properties that `lo` has by default. */
export function asCreated(object: LinkStateObject): LinkStateObject {
  const { mtu, ...others } = object;
  return object.name === 'lo' && mtu === 65536 ? others : object;
}
