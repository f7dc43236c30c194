/**
 * Cluster membership of a host, for Netyard's own routes (409 if the daemon is not a member of a cluster):
 *
 * - GET /netyard/v1/cluster: ClusterInfo
 * - GET /netyard/v1/cluster/hosts: ClusterHostInfo[], by name
 * - POST /netyard/v1/cluster/leave: 204
 * - POST /netyard/v1/cluster/release with ClusterReleaseRequest: ClusterReleaseResponse
 */

export interface ClusterInfo {
  /** The cluster's name, from `--cluster`. */
  Name: string;
  /** This host's name. */
  HostName: string;
  Subnet: string;
  /** The pool of host subnets, and the prefix length of one. */
  Pool: { Subnet: string; SubnetSize: number };
  /** State of the connection to etcd; `left` after leaving, until the daemon restarts. */
  State: 'connected' | 'unreachable' | 'left';
  /** Why etcd is unreachable. */
  Reason: string;
  /** A problem of this host's own membership; '' if there is none. */
  Problem: string;
  Endpoints: string[];
  /** Number of known members including this host, and of the names that all of them publish. */
  Hosts: number;
  Names: number;
  /** Keys ignored because they are malformed. */
  Skipped: { Key: string; Problem: string }[];
}

export interface ClusterHostInfo {
  Name: string;
  Address: string;
  Subnets: string[];
  /** RFC 3339; '' for a host that is not a member any more. */
  Since: string;
  Self: boolean;
  /** False for a former member whose subnet is still reserved. */
  Present: boolean;
  /** URL of its daemon's API, `https://ADDRESS:PORT`; '' if it announces none. */
  Api: string;
  /** Path to its containers; null if they are unreachable. */
  Path: { Kind: string; Link: string } | null;
  /** Problems between it and this host. */
  Problems: string[];
}

export interface ClusterReleaseRequest {
  Host: string;
}

export interface ClusterReleaseResponse {
  Subnets: string[];
}
