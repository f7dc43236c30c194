/** Detects changes of this host's own keys by other programs. Pure. */
import type { KeyChange } from './etcd/watch.ts';
import { encodeKey } from './keys.ts';
import { parseHost, parseSubnet } from './values.ts';

export interface OwnKeys {
  cluster: string;
  hostName: string;
  id: string;
  subnet: string;
}

/** Whether the host's key or its subnet's was deleted (also by an expired lease) or contains another host's id. */
export function isForeign({ action, entry }: KeyChange, { cluster, hostName, id, subnet }: OwnKeys): boolean {
  const isHost = entry.key === encodeKey(cluster, { kind: 'host', name: hostName });
  if (!isHost && entry.key !== encodeKey(cluster, { kind: 'subnet', subnet })) return false;
  if (action === 'delete') return true;
  try {
    return (isHost ? parseHost(entry.value) : parseSubnet(entry.value)).id !== id;
  } catch {
    return true; // this host writes valid values only
  }
}
