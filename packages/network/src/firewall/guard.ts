/**
 * Tables `ip netyard_guard` and `bridge netyard_guard`: the policy of ours once more, for the time between another
 * program's change of them (`nft flush ruleset`, `nft flush chain …`, a deleted rule or set) and the repair. They
 * belong to the daemon's socket, so that no other program can change them, and end with the daemon: see
 * Kernel.holdTables.
 *
 * Rules of ours that accept a new connection put a mark on the packet. The guard stands behind them and drops what is
 * on its way to a bridge of ours without the mark. Connections that were let in before go on. What would leave
 * untranslated for want of our rules is dropped too, as it would stay untranslated for the connection's life.
 *
 * The chain `translations` also keeps the kernel's translation of addresses registered, and `ct state` keeps
 * connections tracked. Without the two the packets of a connection through a published port would be answered by the
 * host itself, with a reset. Pure.
 */
import type { NftTableObject } from '@netyard/kernel';
import { tunnelId, tunnelLink, tunnelPort } from '@netyard/peers';
import type { BridgeSettings } from '../model.ts';
import { hostLinkPrefix } from '../object-names.ts';
import { allButAllowedMark, allowedMark, clearBridged, isBridged, publishedMark, setBridged } from './marks.ts';

export const guardName = 'netyard_guard';

/** Before the guard. */
const forwardPriority = 1;
/** Behind our own translation. */
const translationPriority = 110;
/** Behind `bridge netyard`. */
const bridgePriority = -189;

const isAllowed = `meta mark & ${allowedMark} != 0`;
const clearMark = `meta mark set meta mark & ${allButAllowedMark}`;

/** Begins the statements of a rule of ours that accepts. */
export const setAllowed = `meta mark set meta mark | ${allowedMark} `;

/** For our own table: nothing but the guard sees the mark. */
export const clearAllowed = `
	chain clear_mark {
		type filter hook forward priority ${forwardPriority + 1}; policy accept;
		${isAllowed} ${clearMark}
	}
`;

export interface GuardOptions {
  /** As for our own tables. */
  routesOnlyOwn: boolean;
}

export function planGuard(bridges: readonly BridgeSettings[], { routesOnlyOwn }: GuardOptions): NftTableObject[] {
  if (bridges.length === 0) return [];
  const body = inputBody(bridges) + translationsBody(bridges) + forwardBody(bridges, routesOnlyOwn);
  const parts = [bridges.some(({ icc }) => icc) ? '' : isolationBody, routesOnlyOwn ? markBody : ''].join('');
  return [table('ip', body), ...(parts === '' ? [] : [table('bridge', parts)])];
}

const table = (family: 'ip' | 'bridge', body: string): NftTableObject => ({
  ...{ kind: 'nft-table', family, name: guardName, body },
});

const setOf = (elements: readonly string[]): string => `{ ${elements.join(', ')} }`;
const linksOf = (bridges: readonly BridgeSettings[]): string => setOf(bridges.map(({ link }) => `"${link}"`));

/** Containers reach the host's loopback no more than with our own table, as route_localnet stays on. */
const inputBody = (bridges: readonly BridgeSettings[]): string => `
	chain input {
		type filter hook input priority 0; policy accept;
		udp dport ${tunnelPort} @th,96,24 ${tunnelId} goto marked
		iifname "${tunnelLink}" goto marked
		ip daddr != 127.0.0.0/8 ip saddr != 127.0.0.0/8 accept
		ct status dnat accept comment "sent there by another rule"
		iifname ${linksOf(bridges)} drop comment "loopback from a container"
	}

	chain marked {
		${isAllowed} ${clearMark} accept
		drop comment "not accepted by table netyard"
	}
`;

/** Only the first packet of a connection comes here, and only if no earlier chain translates it. */
function translationsBody(bridges: readonly BridgeSettings[]): string {
  const links = linksOf(bridges);
  const open = bridges.filter(({ icc }) => icc).map(({ link }) => `"${link}" . "${link}"`);
  const masqueraded = bridges.filter(({ masquerade }) => masquerade).map(({ subnet }) => subnet);
  const neighbours = `
		ct status dnat iifname . oifname ${setOf(open)} drop comment "published port of a neighbour"`;
  const outwards = `
		${isAllowed} ${clearMark} accept comment "to other hosts' containers"
		ip saddr ${setOf(masqueraded)} oifname != ${links} drop comment "outwards"`;
  return `
	chain translations {
		type nat hook postrouting priority ${translationPriority}; policy accept;
		ip saddr 127.0.0.0/8 oifname ${links} drop comment "host through 127.0.0.1"${open.length > 0 ? neighbours : ''}${masqueraded.length > 0 ? outwards : ''}
	}
`;
}

const forwardBody = (bridges: readonly BridgeSettings[], routesOnlyOwn: boolean): string => `
	chain forward {
		type filter hook forward priority ${forwardPriority}; policy accept;
		ct state established,related accept comment "let in before"
		oifname ${linksOf(bridges)} goto to_bridge${routesOnlyOwn ? strangers(linksOf(bridges)) : ''}
	}

	chain to_bridge {
		ct original ip daddr 127.0.0.0/8 drop comment "loopback from outside"
		ip saddr 127.0.0.0/8 drop comment "loopback from outside"
		${isAllowed} accept comment "let in by table netyard"
		drop comment "neither published nor linked"
	}
`;

const strangers = (links: string): string => `
		${isBridged} accept comment "within a bridge"
		iifname != ${links} meta mark & ${allowedMark} == 0 drop comment "the daemon switched forwarding on for containers only"`;

/**
 * Where every bridge keeps its containers apart. A rule for some bridges only would need `meta ibrname`, which not
 * every kernel has (NFT_BRIDGE_META).
 */
const isolationBody = `
	chain forward {
		type filter hook forward priority ${bridgePriority}; policy accept;
		iifname "${hostLinkPrefix}*" oifname "${hostLinkPrefix}*" meta mark & ${publishedMark} == 0 drop comment "icc=false"
	}
`;

const markBody = `
	chain mark_bridged {
		type filter hook forward priority ${bridgePriority}; policy accept;
		${setBridged}
	}
${clearBridged}`;
