/** The public API of the peers package. */

export { checkPeerApi } from './api.ts';
export type * from './contract.ts';
export { type OpenPeersOptions, openPeers } from './open.ts';
export { uniteScopes } from './operations/reconcile.ts';
export { parsePeerText } from './parse.ts';
export { ipv6PeerSetDeclarations, ipv6PeerSets, isPeerSet, type PeerSet, peerSetDeclarations } from './sets.ts';
export { anyTunnelLink } from './tunnel.ts';
export { tunnelId, tunnelPort, tunnelTable } from './tunnel-table.ts';
