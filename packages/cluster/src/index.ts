/** The door of the cluster box: membership in a set of hosts that etcd keeps. */
export type { ApiListener } from './api.ts';
export type {
  Cluster,
  ClusterChange,
  ClusterHost,
  ClusterProblem,
  ClusterView,
  PublishedName,
  Reservation,
} from './contract.ts';
export { openCluster } from './open.ts';
export { type ClusterOptions, type ClusterSettings, checkSettings } from './options.ts';
export { firstAddressOf } from './pool.ts';
