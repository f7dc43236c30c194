/**
 * Tables `ip netyard_guard` and `bridge netyard_guard`, for the moment between another program's deletion of ours
 * (`nft flush ruleset`) and the repair. They belong to the daemon's socket, so that no other program can take them
 * away, and they end with the daemon: see Kernel.holdTables.
 *
 * What has passed our own forward chains carries a mark that later chains of ours put on and take off; between the two
 * stands the guard. Without the mark our table is missing: then connections go on that were let in before, and nothing
 * else passes to a bridge or from one (what left untranslated would stay so for the connection's life). The chain
 * `translations` is empty: it keeps the kernel's translation of addresses registered, and `ct state` keeps connections
 * tracked. Without the two the packets of a connection through a published port would be answered by the host itself,
 * with a reset. Pure.
 */
import type { NftTableObject } from '@netyard/kernel';
import type { BridgeSettings } from '../plan/bridge-settings.ts';
import { hostLinkPrefix } from '../plan/names.ts';

export const guardName = 'netyard_guard';
const passedMark = '0x20000000';
const allButPassedMark = '0xdfffffff';

/** For a table of ours: puts the mark on before the guard's priority and takes it off behind it. */
const markPassed = (priority: number): string => `
	chain passed {
		type filter hook forward priority ${priority - 1}; policy accept;
		meta mark set meta mark | ${passedMark} comment "for the guard: the table is there"
	}

	chain passed_end {
		type filter hook forward priority ${priority + 1}; policy accept;
		meta mark set meta mark & ${allButPassedMark}
	}
`;

const forwardPriority = 21;
const bridgePriority = -189;

export const markPassedForward = markPassed(forwardPriority);
export const markPassedBridge = markPassed(bridgePriority);

/** `isolates`: some bridge keeps its containers apart; then the bridge's own table carries the mark, too. */
export function planGuard(bridges: readonly BridgeSettings[], isolates: boolean): NftTableObject[] {
  if (bridges.length === 0) return [];
  const links = bridges.map(({ link }) => `"${link}"`).join(', ');
  return [table('ip', forwardBody(`{ ${links} }`)), ...(isolates ? [table('bridge', bridgeBody)] : [])];
}

const table = (family: 'ip' | 'bridge', body: string): NftTableObject => ({
  ...{ kind: 'nft-table', family, name: guardName, body },
});

/** Containers reach the host's loopback no more than with our own table: route_localnet stays on. */
const forwardBody = (links: string): string => `
	chain input {
		type filter hook input priority 0; policy accept;
		ip daddr != 127.0.0.0/8 ip saddr != 127.0.0.0/8 accept
		ct status dnat accept comment "sent there by another rule"
		iifname ${links} drop comment "loopback from a container"
	}

	chain translations {
		type nat hook postrouting priority 110; policy accept;
	}

	chain forward {
		type filter hook forward priority ${forwardPriority}; policy accept;
		meta mark & ${passedMark} != 0 accept comment "table netyard is there"
		ct state established,related accept comment "let in before"
		oifname ${links} drop comment "table netyard is missing"
		iifname ${links} drop comment "table netyard is missing"
	}
`;

const bridgeBody = `
	chain forward {
		type filter hook forward priority ${bridgePriority}; policy accept;
		meta mark & ${passedMark} != 0 accept comment "table netyard is there"
		iifname "${hostLinkPrefix}*" oifname "${hostLinkPrefix}*" drop comment "table netyard is missing"
	}
`;
