/** The membership of this host: its address and subnet in the cluster, saved to a file before they are used. */
import type { Logger } from '@netyard/core';
import { announcedApi } from './api.ts';
import type { ClusterHost } from './contract.ts';
import type { Joined } from './join.ts';
import type { OwnKeys } from './key-ownership.ts';
import type { MembershipFiles, SavedMembership } from './membership-file.ts';
import type { ClusterSettings } from './options.ts';

export interface OwnMembershipOptions {
  cluster: string;
  settings: Pick<ClusterSettings, 'hostName' | 'api'>;
  files: Pick<MembershipFiles, 'member' | 'putMembership'>;
  logger: Logger;
  /** Until etcd says since when: nanoseconds since 1970. */
  since: bigint;
}

export class OwnMembership {
  readonly #options: OwnMembershipOptions;
  #current: SavedMembership | undefined;
  #since: bigint;
  #problem = '';

  constructor(options: OwnMembershipOptions) {
    this.#options = options;
    this.#since = options.since;
  }

  get id(): string {
    return this.#options.files.member().id;
  }

  /** What this host's keys are recognised by: see `isForeign`. */
  keys(): OwnKeys {
    const { cluster, settings } = this.#options;
    return { cluster, hostName: settings.hostName, id: this.id, subnet: this.#current?.subnet ?? '' };
  }

  /** The last membership, also after leaving: its subnet stays in use until the daemon restarts. */
  get current(): SavedMembership | undefined {
    return this.#current;
  }

  /** Empty when there is none. */
  get problem(): string {
    return this.#problem;
  }

  /** Takes up the membership of an earlier run. */
  resume(saved: SavedMembership | undefined): void {
    this.#current = saved;
  }

  /** Called immediately after etcd has confirmed the membership. */
  save(address: string, { pool, subnet, since, lostTo }: Joined): void {
    const { cluster, settings, files, logger } = this.#options;
    const before = this.#current?.subnet;
    if (before !== undefined && before !== subnet)
      logger.warn('the subnet of this host has changed', { before, now: subnet });
    this.#current = { cluster, hostName: settings.hostName, address, subnet, pool };
    this.#since = since;
    files.putMembership(this.#current);
    this.#problem = lostTo
      ? `${subnet} belongs to host ${lostTo.host} now: this host was disconnected for longer than its reservation. Other hosts cannot reach its containers; restart the daemon to get another subnet`
      : '';
  }

  /** The next run of the daemon does not continue this membership. */
  forget(): void {
    this.#options.files.putMembership(undefined);
  }

  /** This host as it is listed among the others. */
  host(): ClusterHost {
    const { hostName: name, api: listeners = [] } = this.#options.settings;
    const { address = '', subnet } = this.#current ?? {};
    const api = address === '' ? undefined : announcedApi(listeners, address);
    const subnets = subnet === undefined ? [] : [subnet];
    return { name, address, since: this.#since, self: true, ...(api === undefined ? {} : { api }), subnets };
  }
}
