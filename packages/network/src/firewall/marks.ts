/**
 * Defines the bits of the packet mark that Netyard's tables share. Containers cannot set them: the kernel clears the mark
 * when a packet leaves its namespace. Pure.
 */

/**
 * With br_netfilter, a published port of a container on the same bridge is reached by bridging rather than routing:
 * with this bit the table `bridge netyard` accepts the frame.
 */
export const publishedMark = '0x40000000';

/** Set by the rules of table `ip netyard` that accept, checked by the guard: see guard.ts. */
export const allowedMark = '0x20000000';
export const allButAllowedMark = '0xdfffffff';

/**
 * Set on frames that are forwarded within a bridge, in the bridge family's forward hook before br_netfilter
 * (priority -1) passes them to the `ip` chains, and cleared after it: foreign_forward must not drop them.
 */
export const bridgedMark = '0x10000000';
export const setBridged = `meta mark set meta mark | ${bridgedMark}`;
export const isBridged = `meta mark & ${bridgedMark} != 0`;

/** Every bridge of the host; a mark must not reach another bridge of the same namespace through a veth pair. */
export const clearBridged = `
	chain clear_bridged {
		type filter hook forward priority 10; policy accept;
		${isBridged} meta mark set meta mark & 0xefffffff
	}
`;
