/** How full connection tracking is. */
import { readFile } from 'node:fs/promises';
import type { ConntrackFill } from './model.ts';

/**
 * Counts of this process's namespace; the limit is that of all namespaces. Undefined when connection tracking is not
 * loaded.
 */
export async function readConntrack(): Promise<ConntrackFill | undefined> {
  const read = async (name: string): Promise<number> =>
    Number(await readFile(`/proc/sys/net/netfilter/${name}`, 'utf8').catch(() => 'NaN'));
  const [entries, limit] = await Promise.all([read('nf_conntrack_count'), read('nf_conntrack_max')]);
  return Number.isFinite(entries) && Number.isFinite(limit) && limit > 0 ? { entries, limit } : undefined;
}
