/**
 * Plans tables `ip netyard_guard`, `ip6 netyard_guard` and `bridge netyard_guard`: the policy of the tables `netyard` once more, for the time
 * between another program's change of those (`nft flush ruleset`, `nft flush chain …`, a deleted rule or set) and the
 * repair. They are owned by the daemon's socket, so that no other program can change them, and end with the daemon: see
 * Kernel.holdTables.
 *
 * Rules in the table `netyard` that accept a new connection set a mark on the packet. The guard's chains run after them
 * and drop packets to Netyard's bridges without the mark. Established connections continue. Packets that would leave
 * without translation because Netyard's rules are missing are dropped too, as the connection would stay untranslated.
 *
 * The chain `translations` also keeps the kernel's NAT hooks registered, and `ct state` keeps connection tracking
 * active. Without the two, the host itself would answer packets of a connection through a published port with a reset.
 * Pure.
 */
import type { NftElementObject, NftTableObject } from '@netyard/kernel';
import { anyTunnelLink, tunnelId, tunnelPort } from '@netyard/peers';
import type { Family } from '../family.ts';
import type { BridgeSettings } from '../model.ts';
import { hostLinkPrefix } from '../object-names.ts';
import { allButAllowedMark, allowedMark, clearBridged, isBridged, publishedMark, setBridged } from './marks.ts';
import { masqueradedKey } from './masqueraded.ts';

export const guardName = 'netyard_guard';

/** After chain `forward` of the table `netyard`. */
const forwardPriority = 1;
/** After chain `source_nat` of the table `netyard`. */
const translationPriority = 110;
/** After the table `bridge netyard`. */
const bridgePriority = -189;

const isAllowed = `meta mark & ${allowedMark} != 0`;
const clearMark = `meta mark set meta mark & ${allButAllowedMark}`;

/** Precedes the verdict of each rule in the table `netyard` that accepts. */
export const setAllowed = `meta mark set meta mark | ${allowedMark} `;

/** A chain of the table `netyard`: no later hook sees the mark. */
export const clearAllowed = `
	chain clear_mark {
		type filter hook forward priority ${forwardPriority + 1}; policy accept;
		${isAllowed} ${clearMark}
	}
`;

export interface GuardOptions {
  /** As in `TableOptions`. */
  routesOnlyOwn: boolean;
  ipv6: { routesOnlyOwn: boolean } | undefined;
  /** Every bridge has icc=false. */
  isolatesAll: boolean;
}

/** Without elements: see `planGuardElements`. */
export function planGuard({ routesOnlyOwn, isolatesAll, ipv6 }: GuardOptions): NftTableObject[] {
  const body = setsOf('ipv4_addr', 24) + inputBody + translationsBody + forwardBody(routesOnlyOwn, loopbackRules);
  const setsBridged = routesOnlyOwn || ipv6?.routesOnlyOwn === true;
  const parts = [isolatesAll ? isolationBody : '', setsBridged ? markBody : ''].join('');
  return [
    table('ip', body),
    ...(ipv6
      ? [table('ip6', setsOf('ipv6_addr', 64) + ipv6InputBody + ipv6TranslationsBody + forwardBody(ipv6.routesOnlyOwn))]
      : []),
    ...(parts === '' ? [] : [table('bridge', parts)]),
  ];
}

const table = (family: 'ip' | 'ip6' | 'bridge', body: string): NftTableObject => ({
  ...{ kind: 'nft-table', family, name: guardName, body },
});

/** What the guard's tables contain for one bridge. */
export const planGuardElements = (bridge: BridgeSettings): NftElementObject[] => [
  ...planFamilyElements(bridge, 'v4'),
  ...(bridge.v6 ? planFamilyElements(bridge, 'v6') : []),
];

function planFamilyElements(bridge: BridgeSettings, version: Family): NftElementObject[] {
  const { link, icc, internal, [version]: settings } = bridge;
  const family = version === 'v4' ? 'ip' : 'ip6';
  const element = (set: string, key: string): NftElementObject => ({
    ...{ kind: 'nft-element', family, table: guardName, set, key },
  });
  return [
    element('bridges', `"${link}"`),
    ...(icc ? [element('icc_bridges', `"${link}" . "${link}"`)] : []),
    ...(internal ? [element('internal_bridges', `"${link}"`)] : []),
    ...(settings?.masquerade ? [element(...masqueradedKey(settings.subnet))] : []),
  ];
}

/** @param prefixLength subnets of this prefix length are in a set of their own: see masqueraded.ts */
const setsOf = (address: 'ipv4_addr' | 'ipv6_addr', prefixLength: number): string => `
	set bridges { type ifname; }
	set icc_bridges { type ifname . ifname; }
	set internal_bridges { type ifname; }
	set masqueraded { type ${address}; flags interval; }
	set masqueraded_${prefixLength} { type ${address}; }
`;

const requireMark = `
	chain require_mark {
		${isAllowed} ${clearMark} accept
		drop comment "not accepted by table netyard"
	}
`;

/** The kernel itself keeps containers from ::1. */
const ipv6InputBody = `
	chain input {
		type filter hook input priority 0; policy accept;
		iifname "${anyTunnelLink}" goto require_mark
	}
${requireMark}`;

/** Keeps containers from the host's loopback while chain `martians` is missing: route_localnet stays on. */
const inputBody = `
	chain input {
		type filter hook input priority 0; policy accept;
		udp dport ${tunnelPort} @th,96,24 ${tunnelId} goto require_mark
		iifname "${anyTunnelLink}" goto require_mark
		ip daddr != 127.0.0.0/8 ip saddr != 127.0.0.0/8 accept
		ct status dnat accept comment "redirected by another rule"
		iifname @bridges drop comment "loopback from a container"
	}
${requireMark}`;

/** Sees only the first packet of a connection, and only if no earlier chain translates it. */
const translationsBody = `
	chain translations {
		type nat hook postrouting priority ${translationPriority}; policy accept;
		ip saddr 127.0.0.0/8 oifname @bridges drop comment "host through 127.0.0.1"
		ct status dnat iifname . oifname @icc_bridges drop comment "published port of a neighbour"
		${isAllowed} ${clearMark} accept comment "to peers"
		ip saddr @masqueraded oifname != @bridges drop comment "leaves the host"
		ip saddr & 255.255.255.0 @masqueraded_24 oifname != @bridges drop comment "leaves the host"
	}
`;

const ipv6TranslationsBody = `
	chain translations {
		type nat hook postrouting priority ${translationPriority}; policy accept;
		ct status dnat iifname . oifname @icc_bridges drop comment "published port of a neighbour"
		${isAllowed} ${clearMark} accept comment "to peers"
		ip6 saddr @masqueraded oifname != @bridges drop comment "leaves the host"
		ip6 saddr & ffff:ffff:ffff:ffff:: @masqueraded_64 oifname != @bridges drop comment "leaves the host"
	}
`;

const loopbackRules = `
		ct original ip daddr 127.0.0.0/8 drop comment "loopback from outside"
		ip saddr 127.0.0.0/8 drop comment "loopback from outside"`;

/** @param first rules of the chain to_bridge */
const forwardBody = (routesOnlyOwn: boolean, first = ''): string => `
	chain forward {
		type filter hook forward priority ${forwardPriority}; policy accept;
		ct state established,related accept comment "established"
		oifname @bridges goto to_bridge
		iifname @internal_bridges meta mark & ${allowedMark} == 0 drop comment "internal"${routesOnlyOwn ? foreignForward : ''}
	}

	chain to_bridge {${first}
		${isAllowed} accept comment "accepted by table netyard"
		drop comment "neither published nor linked"
	}
`;

const foreignForward = `
		${isBridged} accept comment "within a bridge"
		iifname != @bridges meta mark & ${allowedMark} == 0 drop comment "forwarding is enabled for containers only"`;

/**
 * Used where every bridge has icc=false. A rule for some bridges only would need `meta ibrname`, which not every kernel
 * has (NFT_BRIDGE_META).
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
