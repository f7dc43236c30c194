/**
 * The tables of `--tunnel-firewall=false`. `netdev netyard_tunnel` passes IPv4 packets between the tunnel over IPv4 and bridges
 * of networks that accept peers directly from one interface to the other, before any hook for connection tracking, address
 * translation and filters. With br_netfilter, packets are tracked earlier, on the bridge: `ip netyard_tunnel` prevents it.
 *
 * Everything that they do not pass on takes the way through `ip netyard`, with its checks. Pure.
 */
import { tableName } from '@netyard/core';
import type { NftTableObject } from '@netyard/kernel';
import type { OwnNetwork, PeerPath, PeerRecord } from './contract.ts';
import { outerFamilyOf } from './outer-family.ts';
import { ipv4TunnelLink } from './tunnel.ts';

const families = ['netdev', 'ip'] as const;

const table = (family: (typeof families)[number], body: string): NftTableObject => ({
  ...{ kind: 'nft-table', family, name: `${tableName}_tunnel`, body },
});

/** To be removed. */
export const anyBypass = (): NftTableObject[] => families.map((family) => table(family, ''));

export interface BypassFacts {
  networks: readonly OwnNetwork[];
  peers: Iterable<{ readonly record: PeerRecord; readonly path?: PeerPath | undefined }>;
  /** Interfaces by name: rules are bound to an index, so an interface that is created again needs another table. */
  indexes: ReadonlyMap<string, number>;
}

/** Empty where there is nothing to pass on. */
export function planBypass({ networks, peers, indexes }: BypassFacts): NftTableObject[] {
  const own = networks.filter(
    ({ link, subnet, acceptsPeers = false }) => acceptsPeers && indexes.has(link) && !subnet.includes(':'),
  );
  const subnets = [...peers].flatMap(({ record, path }) => tunnelledSubnets(record, path));
  const tunnel = indexes.get(ipv4TunnelLink);
  if (own.length === 0 || subnets.length === 0 || tunnel === undefined) return [];
  const gateways = own.flatMap(({ gateway }) => gateway ?? []);
  const links = own.map(({ link }) => `"${link}"`).join(', ');
  const targets = subnets.map(({ subnet, address }) => `${subnet} : ${address}`).join(', ');
  const destinations = subnets.map(({ subnet }) => subnet).join(', ');
  const chains = own.map(
    ({ link }, index) => `
	chain from_network${index} {
		type filter hook ingress device "${link}" priority 0; policy accept;
		fwd ip to ip daddr map { ${targets} } device "${ipv4TunnelLink}"
	}
`,
  );
  const body = `
	# ${ipv4TunnelLink} is interface ${tunnel}${own.map(({ link }) => `, ${link} ${indexes.get(link)}`).join('')}
	chain from_tunnel {
		type filter hook ingress device "${ipv4TunnelLink}" priority 0; policy accept;${
      gateways.length === 0
        ? ''
        : `
		ip daddr { ${gateways.join(', ')} } accept comment "to the host"`
    }${own
      .map(
        ({ link, subnet }) => `
		ip daddr ${subnet} fwd ip to ip daddr device "${link}"`,
      )
      .join('')}
	}
${chains.join('')}`;
  const untracked = `
	chain untracked {
		type filter hook prerouting priority -300; policy accept;
		iifname { ${links} } ip daddr { ${destinations} } notrack comment "tunnel-firewall=false"
	}
`;
  return [table('netdev', body), table('ip', untracked)];
}

/** Parts of networks of the cluster keep their checks, which separate these networks from others. */
function tunnelledSubnets(
  { subnets, network }: PeerRecord,
  path: PeerPath | undefined,
): { subnet: string; address: string }[] {
  if (path?.kind !== 'vxlan' || network !== undefined || outerFamilyOf(path.gateway) !== 'v4') return [];
  return subnets.filter((subnet) => !subnet.includes(':')).map((subnet) => ({ subnet, address: path.gateway }));
}
