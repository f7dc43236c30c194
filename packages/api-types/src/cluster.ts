/**
 * A host's membership in a cluster, over Netyard's own routes (409 where the daemon has no cluster):
 *
 * - GET /netyard/v1/cluster: ClusterInfo
 * - GET /netyard/v1/cluster/hosts: ClusterHostInfo[], by name
 * - POST /netyard/v1/cluster/leave: 204
 * - POST /netyard/v1/cluster/release with ClusterReleaseRequest: ClusterReleaseResponse
 */

export interface ClusterInfo {
  /** Of `--cluster`. */
  Name: string;
  /** This host's. */
  HostName: string;
  Subnet: string;
  /** What hosts' subnets are taken from, and one's prefix length. */
  Pool: { Subnet: string; SubnetSize: number };
  /** Of the connection to etcd; `left` after leaving, until the daemon's restart. */
  State: 'connected' | 'away' | 'left';
  /** Why it is away. */
  Reason: string;
  /** What is wrong with this host's membership. */
  Problem: string;
  Endpoints: string[];
  /** Members that are known, this host included, and the names that all of them publish. */
  Hosts: number;
  Names: number;
  /** Keys that are skipped because they are not well-formed. */
  Skipped: { Key: string; Problem: string }[];
}

export interface ClusterHostInfo {
  Name: string;
  Address: string;
  Subnets: string[];
  /** RFC 3339; '' for a host that is gone. */
  Since: string;
  Self: boolean;
  /** A host that is gone may still have its subnet. */
  Present: boolean;
  /** Where its daemon's API listens, `https://ADDRESS:PORT`; '' when it announces none. */
  Api: string;
  /** How its containers are reached from here; null where they are not. */
  Path: { Kind: string; Link: string } | null;
  /** What is wrong between it and this host. */
  Problems: string[];
}

export interface ClusterReleaseRequest {
  Host: string;
}

export interface ClusterReleaseResponse {
  Subnets: string[];
}
