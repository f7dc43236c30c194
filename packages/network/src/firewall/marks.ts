/**
 * Bits of the packet mark that our tables use among themselves. Containers cannot set them: the kernel clears the mark
 * when a packet leaves its namespace. Pure.
 */

/**
 * With br_netfilter, a published port of a container on the same bridge is reached by bridging rather than routing:
 * this bit tells the bridge's own table that the frame may pass.
 */
export const publishedMark = '0x40000000';

/** Set by the rules of table `ip netyard` that accept, checked by the guard: see guard.ts. */
export const allowedMark = '0x20000000';
export const allButAllowedMark = '0xdfffffff';
