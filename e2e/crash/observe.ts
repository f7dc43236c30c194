/** Reads what the API reports and what exists in a host: links, addresses, routes, set elements, namespaces, leases. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { call } from '../support/api.ts';
import type { TestHost } from '../support/host.ts';

export interface ApiNetwork {
  Id: string;
  Name: string;
  Driver: string;
  Internal: boolean;
  Options: Record<string, string> | null;
  IPAM: { Config: { Subnet: string; Gateway?: string }[] | null };
  Containers: Record<string, { Name: string; MacAddress: string; IPv4Address: string; IPv6Address: string }> | null;
}

export interface ApiEndpoint {
  NetworkID: string;
  IPAddress: string;
  IPPrefixLen: number;
  Gateway: string;
  GlobalIPv6Address: string;
  GlobalIPv6PrefixLen: number;
  IPv6Gateway: string;
  MacAddress: string;
  IPAMConfig: { IPv4Address?: string } | null;
}

export interface ApiContainer {
  Id: string;
  Name: string;
  State: { Running: boolean };
  NetworkSettings: {
    SandboxKey: string;
    Ports: Record<string, { HostIp: string; HostPort: string }[] | null> | null;
    Networks: Record<string, ApiEndpoint>;
  };
}

export interface Api {
  networks: ApiNetwork[];
  containers: ApiContainer[];
}

export interface HostLink {
  ifname: string;
  flags?: string[];
  master?: string;
  ifalias?: string;
  linkinfo?: { info_kind?: string };
  addr_info?: { family: string; local: string; prefixlen: number; scope: string }[];
}

export interface Route {
  dst: string;
  dev?: string;
  gateway?: string;
}

export interface Element {
  family: 'ip' | 'ip6' | 'bridge';
  set: string;
  /** The parts of the key, and of the value in a map. */
  values: string[];
}

export interface Observed {
  links: HostLink[];
  /** Of both families. */
  routes: Route[];
  elements: Element[];
  /** Addresses and routes by path of a namespace. */
  namespaces: Map<string, { links: HostLink[]; routes: Route[] }>;
  /** Ids of containers that have a shim, a mount, a control group, a layer. */
  shims: string[];
  mounts: string[];
  cgroups: string[];
  layers: string[];
  leases: { network: string; address: string; container: string }[];
}

const get = async <T>(host: TestHost, path: string): Promise<T> =>
  JSON.parse((await call(host, 'GET', path)).body) as T;

export async function readApi(host: TestHost): Promise<Api> {
  const networks = await get<{ Id: string }[]>(host, '/networks');
  const containers = await get<{ Id: string }[]>(host, '/containers/json?all=1');
  return {
    networks: await Promise.all(networks.map(({ Id: id }) => get<ApiNetwork>(host, `/networks/${id}`))),
    containers: await Promise.all(containers.map(({ Id: id }) => get<ApiContainer>(host, `/containers/${id}/json`))),
  };
}

/** Prints one line for each: name, a tab, JSON or text. */
const observeLine = (dataFolder: string): string => `
  echo "links	$(ip -j -d address)"; echo "routes	$(ip -j route)"; echo "routes6	$(ip -j -6 route)"
  echo "ip	$(nft -j list table ip netyard)"; echo "ip6	$(nft -j list table ip6 netyard)"; echo "bridge	$(nft -j list table bridge netyard)"
  for ns in /run/netns/*; do [ -e $ns ] || continue
    echo "ns $ns	$(nsenter --net=$ns ip -j address)"; echo "ns-routes $ns	$(nsenter --net=$ns ip -j route)"
    echo "ns-routes6 $ns	$(nsenter --net=$ns ip -j -6 route)"
  done
  ids() { grep -oE '[0-9a-f]{64}' | sort -u | tr '\\n' ' '; }
  echo "shims	$(ps -eo args | grep '[c]ontainerd-shim' | ids)"
  echo "mounts	$(cut -d' ' -f5 /proc/self/mountinfo | ids)"
  echo "cgroups	$(find /sys/fs/cgroup -type d | ids)"
  echo "layers	$(ls ${dataFolder}/overlay/containers | ids)"`;

export async function observe(host: TestHost): Promise<Observed> {
  const lines = (await host.sh(observeLine(host.dataFolder))).trim().split('\n');
  const texts = new Map(lines.map((line) => line.split('\t', 2) as [string, string]));
  const text = (name: string): string => texts.get(name) ?? '';
  const json = <T>(name: string): T => JSON.parse(text(name) || '[]') as T;
  const routes = (name: string, end = ''): Route[] => [
    ...json<Route[]>(name + end),
    ...json<Route[]>(`${name}6${end}`),
  ];
  const ids = (name: string): string[] =>
    text(name)
      .split(' ')
      .filter((id) => id !== '');
  const paths = [...texts.keys()].filter((name) => name.startsWith('ns ')).map((name) => name.slice(3));
  return {
    links: json('links'),
    routes: routes('routes'),
    elements: (['ip', 'ip6', 'bridge'] as const).flatMap((family) => elementsIn(family, json(family))),
    namespaces: new Map(
      paths.map((path) => [path, { links: json(`ns ${path}`), routes: routes('ns-routes', ` ${path}`) }]),
    ),
    ...{ shims: ids('shims'), mounts: ids('mounts'), cgroups: ids('cgroups'), layers: ids('layers') },
    leases: readLeases(host),
  };
}

interface NftSet {
  name: string;
  elem?: unknown[];
}

function elementsIn(family: Element['family'], { nftables }: { nftables: Record<string, NftSet>[] }): Element[] {
  const sets = nftables.flatMap(({ set, map }) => set ?? map ?? []);
  return sets.flatMap(({ name, elem = [] }) => elem.map((one) => ({ family, set: name, values: valuesIn(one) })));
}

/** The texts and numbers of an element, without its comment: `{elem: {val, comment}}`, `{concat: […]}`, `[key, value]`. */
function valuesIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(valuesIn);
  if (typeof value !== 'object' || value === null) return [String(value)];
  const record = value as Record<string, unknown>;
  if ('prefix' in record) {
    const { addr, len } = record['prefix'] as { addr: string; len: number };
    return [`${addr}/${len}`];
  }
  return Object.entries(record).flatMap(([key, inner]) => (key === 'comment' ? [] : valuesIn(inner)));
}

/** The daemon locks its database: reads a copy. */
function readLeases(host: TestHost): Observed['leases'] {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-crash-'));
  try {
    for (const name of ['netyard.db', 'netyard.db-wal']) copyFileSync(join(host.dataFolder, name), join(folder, name));
    const database = new DatabaseSync(join(folder, 'netyard.db'));
    const rows = database.prepare('SELECT network_id, address, container_id FROM leases').all();
    database.close();
    return rows.map((row) => ({
      network: String(row['network_id']),
      address: String(row['address']),
      container: String(row['container_id']),
    }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
