/**
 * Plans the chain `foreign_forward`. Where the daemon enabled forwarding, other hosts must not use this host as a router.
 * Accepted are packets from containers of other engines, replies to them, and packets that another program's rules publish
 * (dnat). Frames within a bridge are not routed, but br_netfilter passes them through this chain as well. Pure.
 */
import { isBridged } from './marks.ts';

/** The last rule of chain `forward`. */
export const gotoForeignForward = `
		iifname != @bridges goto foreign_forward`;

/** @param allow precedes the verdict of each rule that accepts */
export const foreignForward = (allow: string): string => `
	chain foreign_forward {
		ct status dnat ${allow}accept comment "published by another program"
		iifname @engine_bridges ${allow}accept comment "from another engine's containers"
		${isBridged} ${allow}accept comment "within a bridge"
		drop comment "forwarding is enabled for containers only"
	}
`;
