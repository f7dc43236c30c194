/** The public API of the network package. */

export * from './capture-contract.ts';
export * from './contract.ts';
export { parseBip } from './drivers/bridge/options.ts';
export { driverNames } from './drivers/index.ts';
export { families, familyOfAddress, perFamily, valuesOf } from './family.ts';
export { describeBlock, type ForwardBlock } from './firewall/forward-blocks.ts';
export { checkModeConflicts, formatNetworkMode, type ModeRequest, parseNetworkMode } from './modes.ts';
export { type NetworksOptions, openNetworks } from './open.ts';
export { findForwardingBlocks } from './reconcile/foreign-rules.ts';
