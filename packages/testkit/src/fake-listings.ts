/** The fake kernel's listings: objects of plans in the form in which the real kernel lists them. Pure. */
import {
  type KernelObject,
  type LinkStatistics,
  type NftFamily,
  type ObservedAddress,
  type ObservedFdbEntry,
  type ObservedLink,
  type ObservedNeighbour,
  type ObservedRoute,
  routeFamily,
} from '@netyard/kernel';

export function listAddresses(
  objects: readonly KernelObject[],
  links: readonly ObservedLink[],
  ns: string | undefined,
): ObservedAddress[] {
  return objects
    .filter((object) => object.kind === 'address')
    .filter((object) => object.ns === ns)
    .map(({ link, prefix }) => ({
      link,
      linkIndex: links.find(({ name }) => name === link)?.index ?? 0,
      prefix,
      scope: 0,
    }));
}

export function listRoutes(objects: readonly KernelObject[], ns: string | undefined): ObservedRoute[] {
  return objects
    .filter((object) => object.kind === 'route')
    .filter((object) => object.ns === ns)
    .map(({ family, to, via, link, source, metric, table, protocol }) => ({
      family: routeFamily({ to, ...(via === undefined ? {} : { via }), ...(family === undefined ? {} : { family }) }),
      to,
      table: table ?? 254,
      protocol: protocol ?? 3,
      ...(via === undefined ? {} : { via }),
      ...(link === undefined ? {} : { link }),
      ...(source === undefined ? {} : { source }),
      ...(metric === undefined ? {} : { metric }),
    }));
}

export function listNeighbours(
  objects: readonly KernelObject[],
  link: string,
  ns: string | undefined,
): ObservedNeighbour[] {
  return objects
    .filter((object) => object.kind === 'neighbour')
    .filter((object) => object.link === link && object.ns === ns)
    .map(({ address, mac }) => ({ address, mac }));
}

export function listFdb(objects: readonly KernelObject[], link: string, ns: string | undefined): ObservedFdbEntry[] {
  return objects
    .filter((object) => object.kind === 'fdb')
    .filter((object) => object.link === link && object.ns === ns)
    .map(({ mac, remote }) => ({ mac, remote }));
}

export function readSysctl(objects: readonly KernelObject[], key: string, ns: string | undefined): string {
  const found = objects.find((object) => object.kind === 'sysctl' && object.key === key && object.ns === ns);
  return found?.kind === 'sysctl' ? found.value : '0';
}

export interface NftSetAddress {
  ns?: string;
  family: NftFamily;
  table: string;
  set: string;
}

/**
 * @param body the table's, which says whether the set counts
 * @param counters by `SET KEY`
 */
export function listNftElements(
  objects: readonly KernelObject[],
  { ns, family, table, set }: NftSetAddress,
  body: string,
  counters: ReadonlyMap<string, { packets: bigint; bytes: bigint }>,
) {
  const counts = new RegExp(`\\b(?:set|map) ${set} \\{[^}]*\\bcounter\\b`).test(body);
  return objects
    .filter((object) => object.kind === 'nft-element')
    .filter((element) => element.ns === ns && element.family === family)
    .filter((element) => element.table === table && element.set === set)
    .map(({ key, value, comment }) => ({
      key,
      ...(value === undefined ? {} : { value }),
      ...(comment === undefined ? {} : { comment }),
      ...(counts ? (counters.get(`${set} ${key}`) ?? { packets: 0n, bytes: 0n }) : {}),
    }));
}

/** Statistics of a link, which never has traffic. */
export const noTraffic: LinkStatistics = {
  ...{ rxBytes: 0n, rxPackets: 0n, rxErrors: 0n, rxDropped: 0n },
  ...{ txBytes: 0n, txPackets: 0n, txErrors: 0n, txDropped: 0n },
};
