/** Whether somebody else has laid hands on this host's own keys. Pure. */
import type { KeyChange } from './etcd/watch.ts';
import { encodeKey } from './keys.ts';
import { parseHost, parseSubnet } from './values.ts';

export interface OwnKeys {
  cluster: string;
  hostName: string;
  id: string;
  subnet: string;
}

/** The host's key or its subnet's was deleted (a lease that ran out does that), or holds another one's id. */
export function isForeign({ action, entry }: KeyChange, { cluster, hostName, id, subnet }: OwnKeys): boolean {
  const isHost = entry.key === encodeKey(cluster, { kind: 'host', name: hostName });
  if (!isHost && entry.key !== encodeKey(cluster, { kind: 'subnet', subnet })) return false;
  if (action === 'delete') return true;
  try {
    return (isHost ? parseHost(entry.value) : parseSubnet(entry.value)).id !== id;
  } catch {
    return true; // we write nothing that cannot be read
  }
}
