/**
 * Two hosts configured with `ip` and `iptables`, as in the tutorial's chapters 1 and 5: a namespace behind a bridge on
 * each host, a route to the other's subnet, the FORWARD rule. Pure text, except for `openManual`.
 */
import type { HostHandle } from '@netyard/lab';
import { output } from '../in-lab.ts';
import type { Path } from './path.ts';

/** One of the two hosts: the numbers of its subnet (192.168.N.0/24) and of the other's, and both addresses. */
export interface Side {
  host: HostHandle;
  own: number;
  other: number;
  address: string;
  otherAddress: string;
}

/** The tutorial's rule accepts the hosts' network: packets have its addresses after Docker's masquerade. */
const tutorialRule = 'iptables -A FORWARD -s 172.16.2.0/16 -j ACCEPT';
const tunnelMtu = 1450;

const bridged = ({ own }: Side, mtu: number): string[] => [
  'ip netns add c1',
  'ip link add docker0 type bridge',
  `ip link set docker0 mtu ${mtu} up`,
  `ip address add 192.168.${own}.1/24 dev docker0`,
  'ip link add veth0 type veth peer name eth0 netns c1',
  `ip link set veth0 mtu ${mtu} master docker0 up`,
  'ip -n c1 link set lo up',
  `ip -n c1 link set eth0 mtu ${mtu} up`,
  `ip -n c1 address add 192.168.${own}.2/24 dev eth0`,
  `ip -n c1 route add default via 192.168.${own}.1`,
  'sysctl -q -w net.ipv4.ip_forward=1',
];

const route = ({ other, otherAddress }: Side): string[] => [`ip route add 192.168.${other}.0/24 via ${otherAddress}`];

/** Only the tutorial's rule, in a chain with policy ACCEPT: no connection is tracked. */
export const openHost = (side: Side): string[] => [...bridged(side, 1500), tutorialRule, ...route(side)];

/**
 * Docker's rules on the tutorial's servers, which reject foreign traffic: policy DROP, answers by connection tracking,
 * masquerade except for the other host's containers.
 */
const firewall = (side: Side): string[] => [
  'iptables -P FORWARD DROP',
  'iptables -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
  'iptables -A FORWARD -i docker0 -j ACCEPT',
  `iptables -A FORWARD -s 192.168.${side.other}.0/24 -o docker0 -j ACCEPT`,
  tutorialRule,
  `iptables -t nat -A POSTROUTING -s 192.168.${side.own}.0/24 -d 192.168.${side.other}.0/24 -j RETURN`,
  `iptables -t nat -A POSTROUTING -s 192.168.${side.own}.0/24 ! -o docker0 -j MASQUERADE`,
];

export const firewalledHost = (side: Side): string[] => [...bridged(side, 1500), ...firewall(side), ...route(side)];

/** The other's subnet behind a VXLAN tunnel, as flannel configures it. */
const tunnel = (side: Side): string[] => [
  `ip link add vxlan0 type vxlan id 42 local ${side.address} dev ens33 dstport 4789 nolearning`,
  `ip link set vxlan0 address 02:00:00:00:00:${side.own} mtu ${tunnelMtu} up`,
  `ip address add 192.168.${side.own}.0/32 dev vxlan0`,
  `bridge fdb append 02:00:00:00:00:${side.other} dev vxlan0 dst ${side.otherAddress} self permanent`,
  `ip neighbour add 192.168.${side.other}.0 lladdr 02:00:00:00:00:${side.other} dev vxlan0 nud permanent`,
  `ip route add 192.168.${side.other}.0/24 via 192.168.${side.other}.0 dev vxlan0 onlink`,
];

export const tunnelledHost = (side: Side): string[] => [
  ...bridged(side, tunnelMtu),
  'iptables -A FORWARD -s 192.168.0.0/16 -j ACCEPT',
  ...tunnel(side),
];

export const firewalledTunnel = (side: Side): string[] => [
  ...bridged(side, tunnelMtu),
  ...firewall(side),
  ...tunnel(side),
];

export async function openManual(script: (side: Side) => string[], sides: readonly [Side, Side]): Promise<Path> {
  for (const side of sides) await output(side.host, ['sh', '-e', '-c', script(side).join('\n')]);
  const [client, server] = sides;
  const netns = '/run/netns/c1';
  return {
    client: { host: client.host, netns },
    server: { host: server.host, netns },
    address: `192.168.${server.own}.2`,
  };
}
