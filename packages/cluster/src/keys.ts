/**
 * Encodes and parses etcd keys below `/netyard/CLUSTER/`. Pure.
 *
 * `config`, `subnets/ADDRESS-LENGTH`, `hosts/NAME`, `names/HOST/CONTAINER`; of networks of the cluster `networks/NAME`,
 * `parts/NETWORK-ID/ADDRESS-LENGTH`, `endpoints/NETWORK-ID/HOST/CONTAINER-ID`.
 */
import { isMemberName } from './member-name.ts';

export type ClusterKey =
  | { kind: 'config' }
  | { kind: 'subnet'; subnet: string }
  | { kind: 'host'; name: string }
  | { kind: 'name'; host: string; name: string }
  | { kind: 'network'; name: string }
  | { kind: 'part'; networkId: string; subnet: string }
  | { kind: 'endpoint'; networkId: string; host: string; containerId: string };

/** Ends with a slash, so that cluster `a` does not include cluster `ab`. */
export const prefixOf = (cluster: string): string => `/netyard/${cluster}/`;

export function encodeKey(cluster: string, key: ClusterKey): string {
  return prefixOf(cluster) + encodeRest(key);
}

function encodeRest(key: ClusterKey): string {
  switch (key.kind) {
    case 'config':
      return 'config';
    case 'subnet':
      return `subnets/${encodeSubnetName(key.subnet)}`;
    case 'host':
      return `hosts/${key.name}`;
    case 'name':
      return `names/${key.host}/${key.name}`;
    case 'network':
      return `networks/${key.name}`;
    case 'part':
      return `parts/${key.networkId}/${encodeSubnetName(key.subnet)}`;
    case 'endpoint':
      return `endpoints/${key.networkId}/${key.host}/${key.containerId}`;
  }
}

const encodeSubnetName = (subnet: string): string => subnet.replace('/', '-');

/** Undefined for unknown keys. */
export function parseKey(cluster: string, text: string): ClusterKey | undefined {
  const prefix = prefixOf(cluster);
  if (!text.startsWith(prefix)) return undefined;
  const [kind = '', ...fields] = text.slice(prefix.length).split('/');
  const parser = parsers.get(kind);
  return parser?.length === fields.length ? parser(...fields) : undefined;
}

type Parser = (...fields: string[]) => ClusterKey | undefined;

const when = (condition: boolean, key: ClusterKey): ClusterKey | undefined => (condition ? key : undefined);

/** By the first part of the key; each takes as many fields as the key has more parts. */
const parsers: ReadonlyMap<string, Parser> = new Map(
  Object.entries({
    config: () => ({ kind: 'config' }),
    subnets: (subnet) => when(isSubnetName(subnet), { kind: 'subnet', subnet: subnet.replace('-', '/') }),
    hosts: (name) => when(isMemberName(name), { kind: 'host', name }),
    names: (host, name) => when(isMemberName(host) && isContainerName(name), { kind: 'name', host, name }),
    networks: (name) => when(isNetworkName(name), { kind: 'network', name }),
    parts: (networkId, subnet) =>
      when(isId(networkId) && isSubnetName(subnet), { kind: 'part', networkId, subnet: subnet.replace('-', '/') }),
    endpoints: (networkId, host, containerId) =>
      when(isId(networkId) && isMemberName(host) && isId(containerId), {
        kind: 'endpoint',
        networkId,
        host,
        containerId,
      }),
  } satisfies Record<string, (a: string, b: string, c: string) => ClusterKey | undefined>),
);

const isSubnetName = (text: string): boolean => /^\d{1,3}(?:\.\d{1,3}){3}-\d{1,2}$/.test(text);
const isContainerName = (text: string): boolean => /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(text);
const isId = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);

/** The names of networks are part of a key, and of log lines and DNS names. */
export const isNetworkName = (text: string): boolean => /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/.test(text);

/** The end of the range of all keys that begin with `prefix` (etcd: the prefix with its last byte raised by one). */
export function rangeEnd(prefix: string): Uint8Array {
  const end = Buffer.from(prefix);
  end[end.length - 1] = (end.at(-1) ?? 0) + 1; // our prefixes end with a slash
  return end;
}
