/** Opens the cluster package: validates the settings, reads the saved state, and joins. */
import { NetyardError } from '@netyard/core';
import type { Cluster } from './contract.ts';
import { parseClusterUrl } from './etcd/url.ts';
import { Member } from './member.ts';
import { openMembershipFiles, type SavedMembership } from './membership-file.ts';
import { type ClusterOptions, type ClusterSettings, checkSettings } from './options.ts';

/**
 * Resolves when this host is a member and knows the other hosts. If it was a member before, it also resolves while etcd
 * is unreachable, with the saved state. Otherwise rejects and leaves nothing in etcd that does not expire: `invalid`,
 * `unavailable` (etcd does not respond), `unauthorized`, `forbidden`, or `conflict` (see join-errors).
 */
export async function openCluster(options: ClusterOptions): Promise<Cluster> {
  checkSettings(options.settings);
  const files = openMembershipFiles(options.folder, options.logger);
  const { membership } = files.member();
  const member = new Member(options, files);
  const usable = membership && fits(membership, options.settings) ? membership : undefined;
  try {
    await member.start(usable);
    return member;
  } catch (error) {
    await member.close();
    if (!(error instanceof NetyardError) || error.code !== 'unavailable') throw error;
    const why = membership
      ? 'the last membership of this host does not match its settings'
      : 'this host has not been a member before and has no subnet';
    throw new NetyardError('unavailable', `${error.message}; ${why}`, {
      hint: error.hint ?? 'start etcd, and check the addresses in --cluster',
      cause: error,
    });
  }
}

/** Whether a host can start with its last membership under the current settings, without etcd. */
function fits({ cluster, subnet, pool }: SavedMembership, settings: ClusterSettings): boolean {
  return (
    cluster === parseClusterUrl(settings.url).name &&
    (settings.requiredSubnet ?? subnet) === subnet &&
    (settings.pool.subnet ?? pool.subnet) === pool.subnet &&
    (settings.pool.subnetSize ?? pool.subnetSize) === pool.subnetSize
  );
}
