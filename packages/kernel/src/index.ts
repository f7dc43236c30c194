export * from './capture/contract.ts';
export * from './contract.ts';
export * from './desired.ts';
export { diff, diffRemoval } from './diff.ts';
export { EventQueue } from './event-queue.ts';
export { errnoOf, errnoText, hasErrno, kernelError } from './ffi/errno.ts';
export * from './files.ts';
export { standingAlone } from './ground.ts';
export { describeObject, identityOf, namespaceOf, routeFamily } from './identity.ts';
export { openKernel } from './kernel.ts';
export { hasEnded, type LastingProgram, startLasting } from './lasting.ts';
export { moveLink, renameLink } from './link-changes.ts';
export * from './mount-options.ts';
export * from './mounts.ts';
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
} from './netns.ts';
export { parseChains } from './nft/chain.ts';
export { spawnInPidNamespace } from './pidns.ts';
export { removeTree } from './remove-tree.ts';
export { printCommands, printOperation, printShell, quoteWord } from './shell.ts';
export {
  type BoundSocket,
  longestUnixPath,
  openListenerInNetns,
  openUnixListener,
  type SocketRequest,
} from './sockets.ts';
export { O_PATH } from './system.ts';
export * from './xattrs.ts';
