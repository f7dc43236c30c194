/** The public API of the sandbox package, with the types of network. */

export * from './capture-contract.ts';
export type * from './contract.ts';
export { formatResolvConf } from './files/resolv-conf.ts';
export { checkModeConflicts, formatNetworkMode, type ModeRequest, parseNetworkMode } from './modes.ts';
export { type NetworksOptions, openNetworks } from './open.ts';
