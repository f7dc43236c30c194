/** The door of the cluster box: membership in a set of hosts that etcd keeps. */
export type { Cluster, ClusterChange, ClusterHost, ClusterView, PublishedName } from './contract.ts';
