/** Public API of the cluster package: membership in a set of hosts stored in etcd. */
export type { ApiListener } from './api.ts';
export type {
  Cluster,
  ClusterChange,
  ClusterEndpoint,
  ClusterHost,
  ClusterNetwork,
  ClusterProblem,
  ClusterView,
  KnownNetwork,
  NewNetwork,
  PublishedName,
  Reservation,
} from './contract.ts';
export { openCluster } from './open.ts';
export { type ClusterOptions, type ClusterSettings, checkSettings } from './options.ts';
export { firstAddressOf } from './pool.ts';
