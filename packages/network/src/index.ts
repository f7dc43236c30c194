/** The public API of the network package. The second part is for packages that bring their own owners of endpoints. */

export * from './attachments.ts';
export * from './contract.ts';
export { hasDefaultRoute } from './drivers/addresses.ts';
export { advertisementOf } from './drivers/advertisement.ts';
export { planBridgePool, planBridgePool6 } from './drivers/bridge/default-bridge.ts';
export type { Capabilities, EndpointPlanInput, NetworkPlanner } from './drivers/driver.ts';
export { driverNames, driverOf } from './drivers/index.ts';
export { disablesIpv6, endpointSysctlsOption, interfaceNameOption } from './endpoint-options.ts';
export {
  allocateEndpoint,
  type EndpointDependencies,
  freeEndpoint,
  storeEndpoint,
  unstoreEndpoint,
} from './endpoints/allocate.ts';
export { type AttachedDependencies, findAttached, planOf } from './endpoints/attached.ts';
export { adoptEndpoints } from './endpoints/check.ts';
export { type PortOwner, publishPortsOf, withdrawPortsOf } from './endpoints/port-change.ts';
export { flushUdpConntrack, type ReservePortsDependencies, relayPorts, reservePorts } from './endpoints/ports.ts';
export { findSettingProblems, withCanonicalAddresses } from './endpoints/validate.ts';
export { families, familyOfAddress, ofFamily, perFamily, valuesOf } from './family.ts';
export { describeBlock, type ForwardBlock } from './firewall/forward-blocks.ts';
export { planLinkAllowRules } from './firewall/link-allow.ts';
export type { TunnelBlock } from './firewall/tunnel-blocks.ts';
export { type Host, openHost } from './host.ts';
export type { HostContext } from './host-context.ts';
export type { HostLinks } from './host-links.ts';
export { NetworkPools } from './ipam/network-pools.ts';
export { checkSubnetPool, parseSubnetPool } from './ipam/subnet-pools.ts';
export { bridgeOf, capabilitiesOfNamed, networkOf, plannerOf } from './lookup.ts';
export type { BridgeSettings, EndpointOwner, FamilySettings, HostFacts } from './model.ts';
export { NetworkTable } from './network-table.ts';
export {
  asClusterRequest,
  type ClusterNetwork,
  type ClusterNetworkProblem,
  checkClusterNetwork,
  type NewClusterNetwork,
  setClusterNetworks,
} from './networks/cluster.ts';
export { type ChangeNetworksDependencies, createNetwork, networkQueueKey } from './networks/create.ts';
export { warnOfUnusedSubnets } from './networks/families.ts';
export { checkRemove, removeNetwork } from './networks/remove.ts';
export { usesOf } from './networks.ts';
export { hostLinkName, netnsName, ownerPrefix, segmentOfLink } from './object-names.ts';
export { forwardingKey } from './plan/host.ts';
export {
  isInNamespace,
  planHostSideRepair,
  planNamespaceRepair,
  shouldRepairNamespace,
} from './plan/namespace-repair.ts';
export { type PublishWay, publishWays } from './ports/bindings.ts';
export { checkPortRequest, formatPortRequest, resolvePortRequests } from './ports/choose.ts';
export { PortTable, unreserved } from './ports/table.ts';
export { describe, describeRepair } from './reconcile/describe.ts';
export { type ForeignRulesDependencies, findForwardingBlocks, foreignWarnings } from './reconcile/foreign-rules.ts';
export { type HostDependencies, readHost } from './reconcile/host.ts';
export { LinkDeletions } from './reconcile/link-deletions.ts';
export { planNetworks } from './reconcile/plan-networks.ts';
export { RepairPace } from './reconcile/repair-pace.ts';
export { type HostStartDependencies, removeOrphans, startHost } from './reconcile/start.ts';
export { listElements } from './reconcile/table-elements.ts';
export { findBlockedTunnels } from './reconcile/tunnel-blocks.ts';
export { createSegments, removeEmptySegments, type SegmentsDependencies } from './segments.ts';
