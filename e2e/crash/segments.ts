/** Checks the segments of networks (docs/decisions/0044), and hides them from the other comparisons. Pure. */
import { segmentOfLink } from '@netyard/core';
import type { ApiNetwork, HostLink, Observed } from './observe.ts';

type SegmentedNetwork = Pick<ApiNetwork, 'Id'> & { link: string };

/** The interfaces with ports of segments as ports of their networks' own bridges, and without those of segments. */
export function mergeSegments(networks: readonly SegmentedNetwork[], links: Observed['links']): Observed['links'] {
  const networkOf = (link: string): SegmentedNetwork | undefined => {
    const prefix = segmentOfLink(link)?.networkPrefix;
    return prefix === undefined ? undefined : networks.find(({ Id: id }) => id.startsWith(prefix));
  };
  return links
    .filter(({ ifname }) => networkOf(ifname) === undefined)
    .map((link) => {
      const network = networkOf(link.master ?? '');
      return network ? { ...link, master: network.link } : link;
    });
}

/** Each segment has ports of containers, its pair joins it to its network's own bridge, and all is up. */
export function compareSegments(networks: readonly SegmentedNetwork[], links: Observed['links']): string[] {
  const byName = new Map(links.map((link) => [link.ifname, link]));
  return networks.flatMap(({ Id: id, link: own }) => {
    const names = [...byName.keys()].filter((name) => segmentOfLink(name)?.networkPrefix === id.slice(0, 10));
    const segments = new Set(names.map((name) => name.slice(3)));
    return [...segments].flatMap((segment) => compareSegment(own, segment, byName));
  });
}

function compareSegment(own: string, segment: string, byName: ReadonlyMap<string, HostLink>): string[] {
  const bridge = `nyb${segment}`;
  const masters = [
    [bridge, undefined],
    [`nyt${segment}`, own],
    [`nyu${segment}`, bridge],
  ] as const;
  const hasPorts = [...byName.values()].some(({ ifname, master }) => master === bridge && ifname.startsWith('ny-'));
  return [
    ...(hasPorts ? [] : [`${bridge}: no container has a port there`]),
    ...masters.flatMap(([name, master]) => {
      const link = byName.get(name);
      if (link === undefined) return [`${name} is missing`];
      if (!link.flags?.includes('UP')) return [`${name} is down`];
      return link.master === master ? [] : [`${name}: a port of ${link.master}, not of ${master}`];
    }),
  ];
}
