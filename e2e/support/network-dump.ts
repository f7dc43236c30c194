/**
 * Dumps the network state of a host's kernel, to compare two hosts. Omits numbers that the kernel assigns (indexes,
 * handles, counters), link-local addresses and MAC addresses that the kernel generated.
 */
import type { TestHost } from './host.ts';

type Row = Record<string, unknown>;

export interface NetworkDump {
  links: unknown[];
  addresses: unknown[];
  routes: unknown[];
  nftables: unknown[];
  sysctls: string;
}

const sysctls =
  'for key in net/ipv4/ip_forward net/ipv4/conf/*/route_localnet net/ipv4/conf/*/rp_filter net/ipv6/conf/*/disable_ipv6 ' +
  'net/ipv4/conf/*/arp_ignore; do [ -e /proc/sys/$key ] || continue; echo $key=$(cat /proc/sys/$key); done';

/** @param netns path of a namespace in the host; default the host's own */
export async function dumpNetwork(host: TestHost, netns?: string): Promise<NetworkDump> {
  const enter = netns === undefined ? '' : `nsenter --net=${netns} `;
  const rows = async (line: string): Promise<Row[]> => JSON.parse(await host.sh(`${enter}${line}`)) as Row[];
  const ruleset = JSON.parse(await host.sh(`${enter}nft -j list ruleset`)) as { nftables: Row[] };
  return {
    links: (await rows('ip -j -d link')).map(describeLink).toSorted(byText),
    addresses: (await rows('ip -j address')).flatMap(describeAddresses).toSorted(byText),
    routes: (await rows('ip -j route')).map(({ flags: _flags, ...route }) => route).toSorted(byText),
    nftables: ruleset.nftables.filter((one) => !('metainfo' in one) && !isGuard(one)).map((one) => canonical(one)),
    sysctls: await host.sh(
      `cd /proc/sys && ${enter}sh -c ${quote(`cd /proc/sys && ${sysctls.replaceAll('/proc/sys/', '')}`)}`,
    ),
  };
}

/** Whether a row belongs to the tables that exist only while the daemon runs and are not part of a plan. */
const isGuard = (one: Row): boolean =>
  Object.values(one).some((inner) => [(inner as Row)['table'], (inner as Row)['name']].includes('netyard_guard'));

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
const byText = (a: unknown, b: unknown): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);

function describeLink(link: Row): unknown {
  const info = link['linkinfo'] as Row | undefined;
  const port = info?.['info_slave_data'] as Row | undefined;
  // The uplink's MAC differs from host to host, and may begin like those that Netyard assigns.
  const isAssigned = link['ifname'] !== 'ens33' && String(link['address'] ?? '').startsWith('02:42:');
  return {
    name: link['ifname'],
    kind: info?.['info_kind'],
    mtu: link['mtu'],
    up: (link['flags'] as string[]).includes('UP'),
    master: link['master'],
    alias: link['ifalias'],
    mac: isAssigned ? link['address'] : undefined,
    hairpin: port?.['hairpin'],
    isolated: port?.['isolated'],
  };
}

function describeAddresses(link: Row): unknown[] {
  const infos = (link['addr_info'] as Row[]).filter((info) => info['scope'] !== 'link');
  return infos.map((info) => ({
    link: link['ifname'],
    address: `${info['local']}/${info['prefixlen']}`,
    broadcast: info['broadcast'],
    scope: info['scope'],
  }));
}

/** Without handles and counters, with sorted set elements: the kernel lists them in any order. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).flatMap(([key, field]): [string, unknown][] => {
    if (key === 'handle' || key === 'packets' || key === 'bytes') return [];
    const inner = canonical(field);
    return [[key, key === 'elem' && Array.isArray(inner) ? inner.toSorted(byText) : inner]];
  });
  return Object.fromEntries(fields);
}
