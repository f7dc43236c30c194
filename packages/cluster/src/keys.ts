/**
 * Encodes and parses etcd keys below `/netyard/CLUSTER/`. Pure.
 *
 * `config`, `subnets/ADDRESS-LENGTH`, `hosts/NAME`, `names/HOST/CONTAINER`.
 */
import { isMemberName } from './member-name.ts';

export type ClusterKey =
  | { kind: 'config' }
  | { kind: 'subnet'; subnet: string }
  | { kind: 'host'; name: string }
  | { kind: 'name'; host: string; name: string };

/** Ends with a slash, so that cluster `a` does not include cluster `ab`. */
export const prefixOf = (cluster: string): string => `/netyard/${cluster}/`;

export function encodeKey(cluster: string, key: ClusterKey): string {
  const prefix = prefixOf(cluster);
  if (key.kind === 'config') return `${prefix}config`;
  if (key.kind === 'subnet') return `${prefix}subnets/${key.subnet.replace('/', '-')}`;
  if (key.kind === 'host') return `${prefix}hosts/${key.name}`;
  return `${prefix}names/${key.host}/${key.name}`;
}

/** Undefined for unknown keys. */
export function parseKey(cluster: string, text: string): ClusterKey | undefined {
  const prefix = prefixOf(cluster);
  if (!text.startsWith(prefix)) return undefined;
  const [kind, first = '', second = '', ...more] = text.slice(prefix.length).split('/');
  if (more.length > 0) return undefined;
  if (kind === 'names')
    return isMemberName(first) && isContainerName(second) ? { kind: 'name', host: first, name: second } : undefined;
  if (second !== '') return undefined;
  if (kind === 'config' && first === '') return { kind: 'config' };
  if (kind === 'hosts' && isMemberName(first)) return { kind: 'host', name: first };
  if (kind === 'subnets' && /^\d{1,3}(?:\.\d{1,3}){3}-\d{1,2}$/.test(first))
    return { kind: 'subnet', subnet: first.replace('-', '/') };
  return undefined;
}

const isContainerName = (text: string): boolean => /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(text);

/** The end of the range of all keys that begin with `prefix` (etcd: the prefix with its last byte raised by one). */
export function rangeEnd(prefix: string): Uint8Array {
  const end = Buffer.from(prefix);
  end[end.length - 1] = (end.at(-1) ?? 0) + 1; // our prefixes end with a slash
  return end;
}
