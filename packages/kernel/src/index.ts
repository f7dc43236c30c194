export * from './contract.ts';
export * from './desired.ts';
export { openKernel } from './kernel.ts';
export { openDropCounter } from './netlink/drops/drop-counter.ts';
export { EventQueue } from './netlink/event-queue.ts';
export { moveLink, renameLink } from './netlink/link-changes.ts';
export { parseChains } from './netlink/nft/chain.ts';
export { parseElements } from './netlink/nft/element.ts';
export { listListeningSockets, observeNamespace, resolveNamespaceIds } from './netlink/observe-namespace.ts';
export { observeNetworkState } from './netlink/observe-state.ts';
export { moduleOfKind } from './netlink/rtnl/link-message.ts';
export { compareCounters } from './netlink/trace/counters.ts';
export { readLinkNames } from './netlink/trace/namespace.ts';
export { isOfProbe } from './netlink/trace/traced-packets.ts';
export { packetTracing } from './netlink/trace/tracing.ts';
export type * from './network-change.ts';
export * from './observed-namespace.ts';
export * from './packet-capture.ts';
export type * from './packet-drops.ts';
export type * from './packet-trace.ts';
export { independentObjects } from './state/dependencies.ts';
export { diff, diffRemoval } from './state/diff.ts';
export { editAsPlan } from './state/edit-as-plan.ts';
export { listElementsIfAny } from './state/list-elements.ts';
export { recordKernel } from './state/recording-kernel.ts';
export { printCommands, printOperation, printShell, quoteWord } from './state/shell.ts';
export { O_PATH } from './system/calls.ts';
export { type DetachedProcess, hasEnded, spawnDetached } from './system/detached-process.ts';
export { errnoOf, errnoText, hasErrno, kernelError } from './system/ffi/errno.ts';
export * from './system/files.ts';
export { describeObject, identityOf, namespaceOf, routeFamily } from './system/identity.ts';
export { listEntries } from './system/list-entries.ts';
export { releaseFreeMemory } from './system/memory.ts';
export * from './system/mount-options.ts';
export { attachMount, copyMount, NamespaceRoots } from './system/mount-tree.ts';
export * from './system/mounts.ts';
export {
  checkNetnsName,
  createNetns,
  deleteNetns,
  listNetns,
  netnsDirectory,
  netnsExists,
  netnsIdentity,
  netnsPath,
  openInNetns,
  type PinnedNetns,
} from './system/netns.ts';
export { spawnInPidNamespace } from './system/pidns.ts';
export { ProcessEnds } from './system/process-ends.ts';
export { releaseProgramPages } from './system/program-pages.ts';
export { readIfExists } from './system/read-if-exists.ts';
export { readStartIfExists } from './system/read-start.ts';
export { removeTree } from './system/remove-tree.ts';
export {
  type BoundSocket,
  maxUnixPathLength,
  openListenerInNetns,
  openSocketInNetns,
  openUnixListener,
  type SocketRequest,
} from './system/sockets.ts';
export * from './system/xattrs.ts';
