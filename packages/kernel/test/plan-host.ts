/** A host for plans: a bridge with a table of published ports, containers on it, and a dump of the host's state. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KernelObject, KernelPlan } from '@netyard/kernel';
import { sh } from '@netyard/testkit';

export const folder = mkdtempSync(join(tmpdir(), 'netyard-apply-'));
process.once('exit', () => rmSync(folder, { recursive: true }));

export const tableBody = `
  map publish { type inet_proto . inet_service : ipv4_addr . inet_service; }
  set holes { type ipv4_addr . ipv4_addr; }
  chain prerouting {
    type nat hook prerouting priority dstnat;
    dnat ip to meta l4proto . th dport map @publish
  }
  chain output {
    type nat hook output priority -100;
    dnat ip to meta l4proto . th dport map @publish
  }
`;
const bridge: KernelObject[] = [
  { kind: 'sysctl', key: 'net.ipv4.ip_forward', value: '1', keep: true },
  { kind: 'nft-table', family: 'ip', name: 'netyard', body: tableBody },
  { kind: 'bridge', name: 'ny0', mac: '02:42:00:00:00:01', owner: 'network bridge', up: true },
  { kind: 'address', link: 'ny0', prefix: '172.17.0.1/16', broadcast: '172.17.255.255' },
];
export const element = (port: number, to: string): KernelObject => ({
  kind: 'nft-element',
  ...{ family: 'ip', table: 'netyard', set: 'publish' },
  ...{ key: `tcp . ${port}`, value: to, comment: 'container c' },
});
export function container(number: number): KernelObject[] {
  const ns = `/run/netns/c${number}`;
  const name = `ny${number}.1`;
  return [
    { kind: 'netns', path: ns },
    { kind: 'link-state', ns, name: 'lo', up: true },
    {
      kind: 'veth',
      name,
      ...{ master: 'ny0', owner: `container c${number}`, hairpin: true, up: true, mtu: 1400 },
      peer: { ns, name: 'eth0', mac: `02:42:ac:11:00:0${number}`, up: true },
    },
    { kind: 'address', ns, link: 'eth0', prefix: `172.17.0.${number}/16`, broadcast: '172.17.255.255' },
    { kind: 'route', ns, to: 'default', via: '172.17.0.1' },
    { kind: 'neighbour', ns, link: 'eth0', address: '172.17.0.1', mac: '02:42:00:00:00:01' },
    { kind: 'sysctl', ns, key: 'net.ipv4.conf.eth0.arp_ignore', value: '1' },
    element(8800 + number, `172.17.0.${number} . 80`),
    element(9900 + number, `172.17.0.${number} . 443`),
    { kind: 'file', path: join(folder, `hosts${number}`), content: `172.17.0.${number}\tc${number}\n` },
  ];
}
export const host2: KernelPlan = { owner: 'network bridge', objects: bridge };
export const planOf = (number: number): KernelPlan => ({ owner: `container c${number}`, objects: container(number) });
/**
 * The state of the host as ip(8), nft(8) and ls(1) print it, without values that settle later (states, link-local
 * addresses).
 */
export function dump(): string[] {
  const text = sh(`ip -o link; ip -o address; ip route; ip netns list; nft list ruleset; ls ${folder}`);
  return text
    .split('\n')
    .filter((line) => !/inet6/.test(line))
    .map((line) => line.replace(/^\d+: |@if\d+| linkdown|<[^>]*>|state \w+|\(id: \d+\)|mtu \d+/g, ''));
}

/** Resets the host before each test, because a failed test leaves objects behind. */
export function cleanHost({ skip }: { skip: string | false }): void {
  if (skip !== false) return;
  sh(`nft flush ruleset; ip -all netns delete
    for link in $(ip -o link | sed -n 's/^[0-9]*: \\(ny[^:@]*\\).*/\\1/p'); do ip link delete $link 2>/dev/null || true; done
    rm -rf ${folder}/*`);
}
