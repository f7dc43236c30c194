/** Opens the cluster box: checks what it is given, reads what it kept, and joins. */
import { NetyardError } from '@netyard/core';
import type { Cluster } from './contract.ts';
import { parseClusterUrl } from './etcd/url.ts';
import { Member } from './member.ts';
import { openMembershipFiles, type SavedMembership } from './membership-file.ts';
import { type ClusterOptions, type ClusterSettings, checkSettings } from './options.ts';

/**
 * Resolves when this host is a member and knows the others; also while etcd does not answer, if the host was a member
 * before: it goes on with what it knew then. Otherwise rejects, with nothing left behind in etcd that does not go by
 * itself: `invalid`, `unavailable` (nobody answers), `unauthorized`, `forbidden`, or `conflict` (see join-errors).
 */
export async function openCluster(options: ClusterOptions): Promise<Cluster> {
  checkSettings(options.settings);
  const kept = openMembershipFiles(options.folder, options.logger);
  const { membership } = kept.member();
  const member = new Member(options, kept);
  const usable = membership && fits(membership, options.settings) ? membership : undefined;
  try {
    await member.start(usable);
    return member;
  } catch (error) {
    await member.close();
    if (!(error instanceof NetyardError) || error.code !== 'unavailable') throw error;
    const why = membership
      ? 'what this host was a member with before is not what it is given now'
      : 'this host was no member before, and so has no subnet';
    throw new NetyardError('unavailable', `${error.message}; ${why}`, {
      hint: error.hint ?? 'start etcd first, and look at the addresses of --cluster',
      cause: error,
    });
  }
}

/** Whether a host may begin with its last membership, unseen by etcd, under the settings of now. */
function fits({ cluster, subnet, pool }: SavedMembership, settings: ClusterSettings): boolean {
  return (
    cluster === parseClusterUrl(settings.url).name &&
    (settings.wantedSubnet ?? subnet) === subnet &&
    (settings.pool.subnet ?? pool.subnet) === pool.subnet &&
    (settings.pool.subnetSize ?? pool.subnetSize) === pool.subnetSize
  );
}
