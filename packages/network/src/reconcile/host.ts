/** Reads the host facts needed at start, and rejects foreign bridges and overlapping routes. */
import { KernelError, NetyardError, type Prefix, parsePrefix, prefixesOverlap } from '@netyard/core';
import type { Kernel, ObservedRoute } from '@netyard/kernel';
import type { NetworkRecord, NetworkSettings } from '../contract.ts';
import { type Family, families } from '../family.ts';
import { isEngineBridge } from '../firewall/engine-bridges.ts';
import { bridgeOf } from '../lookup.ts';
import type { BridgeSettings, HostFacts } from '../model.ts';
import { bridgeOwner, ownerPrefix } from '../object-names.ts';
import { factsOfBridges } from '../plan/facts.ts';
import { forwardingKey } from '../plan/host.ts';
import { type PortRange, parsePortRange } from '../ports/choose.ts';
import { readIpv6Forwarding } from './ipv6-forwarding.ts';
import { listElements } from './table-elements.ts';

/** Dependencies of the functions in this file. */
export interface HostDependencies {
  readonly kernel: Kernel;
  readonly settings: NetworkSettings;
  readonly networks: Map<string, NetworkRecord>;
  mtuLimit: number | undefined;
  facts: HostFacts;
  dynamicPorts: PortRange;
}

const mainTable = 254;

/** Reads kernel features, forwarding state and the range of dynamic ports. */
export async function readHost(context: HostDependencies): Promise<void> {
  const ipv6 = await hasIpv6(context.kernel);
  const bridges = [...context.networks.keys()].flatMap((id) => bridgeOf(context, id) ?? []);
  const enabledForwarding = context.settings.ipForward && (await enablesForwarding(context));
  const guarded = await context.kernel.canHoldTables();
  const engineBridges = await findEngineBridges(context);
  const ofBridges = factsOfBridges(bridges);
  const ipv6Forwarding = ipv6 === undefined ? {} : await readIpv6Forwarding(context, ofBridges);
  context.facts = {
    ...context.facts,
    ...{
      ipv6,
      ipv6Addresses: hasIpv6Addresses(context.kernel),
      ...(await readBridgeNetfilter(context.kernel)),
      ...ofBridges,
      enabledForwarding,
      ...ipv6Forwarding,
      engineBridges,
      guarded,
    },
  };
  context.dynamicPorts = parsePortRange(await context.kernel.readSysctl('net.ipv4.ip_local_port_range'));
}

/** Whether packets within a bridge traverse `ip` and `ip6` chains: settings of the module br_netfilter, if it is loaded. */
export async function readBridgeNetfilter(
  kernel: Kernel,
): Promise<Pick<HostFacts, 'bridgeNetfilter' | 'bridgeNetfilter6'>> {
  const isOn = async (name: string): Promise<boolean> =>
    (await readSysctlIfExists(kernel, `net.bridge.bridge-nf-call-${name}`)) === '1';
  return { bridgeNetfilter: await isOn('iptables'), bridgeNetfilter6: await isOn('ip6tables') };
}

/** As Docker finds out: with net.ipv6.conf.all.disable_ipv6=1, [::] can be bound, but not [::1]. */
function hasIpv6Addresses(kernel: Kernel): boolean {
  try {
    kernel.reservePort('tcp', '::1', 0).close();
    return true;
  } catch (error) {
    if (error instanceof KernelError) return false;
    throw error;
  }
}

/** Bridges named like those of another container engine. */
export async function findEngineBridges({ kernel }: Pick<HostDependencies, 'kernel'>): Promise<string[]> {
  const links = await kernel.listLinks();
  return links
    .filter(({ kind, owner }) => kind === 'bridge' && !owner?.startsWith(ownerPrefix))
    .map(({ name }) => name)
    .filter(isEngineBridge);
}

/** Forwarding is off, or an element in Netyard's table records that an earlier start of the daemon enabled it. */
async function enablesForwarding(context: HostDependencies): Promise<boolean> {
  if ((await context.kernel.readSysctl('net.ipv4.ip_forward')).trim() === '0') return true;
  return (await listElements(context.kernel, 'ip_forward_enabled', 'ip')).some(({ key }) => key === forwardingKey);
}

/** False if it was switched off when the host booted. */
export const hasIpv6 = async (kernel: Kernel): Promise<boolean> =>
  (await readSysctlIfExists(kernel, 'net.ipv6.conf.all.disable_ipv6')) !== undefined;

/** Undefined when the kernel (or a module that is not loaded) does not have the setting. */
async function readSysctlIfExists(kernel: Kernel, key: string): Promise<string | undefined> {
  try {
    return (await kernel.readSysctl(key)).trim();
  } catch (error) {
    if (error instanceof KernelError && error.errnoName === 'ENOENT') return undefined;
    throw error;
  }
}

/** `--mtu`, or the MTU of the default route's interface, or Ethernet's 1500. */
export async function chooseMtu(context: HostDependencies): Promise<number> {
  if (context.settings.mtu > 0) return context.settings.mtu;
  const routes = await context.kernel.listRoutes();
  const uplink = routes.find((route) => route.table === mainTable && isDefault(route) && route.link !== undefined);
  if (!uplink) return 1500;
  const links = await context.kernel.listLinks();
  return links.find((link) => link.name === uplink.link)?.mtu ?? 1500;
}

const isDefault = (route: ObservedRoute): boolean => /^(default|0\.0\.0\.0\/0)$/.test(route.to);

/** Throws `conflict` when a foreign interface has the bridge's name, or a host route overlaps its subnet. */
export async function checkBridgeFits(context: HostDependencies, bridge: BridgeSettings): Promise<void> {
  const { link, networkName: network } = bridge;
  const links = await context.kernel.listLinks();
  const existing = links.find((candidate) => candidate.name === link);
  if (existing && !existing.owner?.startsWith(ownerPrefix)) {
    throw new NetyardError('conflict', `an interface named ${link} exists and is not Netyard's`, {
      hint: `choose another name for the default bridge, or run \`ip link delete ${link}\``,
    });
  }
  // A Netyard bridge renamed by another program gets its name back; its routes do not count as foreign.
  const ours = new Set([
    link,
    ...links.filter((other) => other.kind === 'bridge' && other.owner === bridgeOwner(network)).map(({ name }) => name),
  ]);
  const routes = (await context.kernel.listRoutes()).filter(
    (route) => route.table === mainTable && !ours.has(route.link ?? ''),
  );
  for (const family of families) {
    const subnet = bridge[family]?.subnet;
    const overlapping = subnet === undefined ? undefined : routes.find((route) => overlaps(route, parsePrefix(subnet)));
    if (subnet === undefined || !overlapping) continue;
    const where = overlapping.link === undefined ? '' : ` dev ${overlapping.link}`;
    const via = overlapping.via === undefined ? '' : ` via ${overlapping.via}`;
    const [option, given] = describeOption(context.settings, family, subnet);
    throw new NetyardError('conflict', `${given} overlaps with the host's route ${overlapping.to}${via}${where}`, {
      hint: `choose another subnet with --${option}`,
    });
  }
}

/** The option that gives the default bridge its subnet, alone and with its value, for messages. */
export function describeOption(
  { bip, bridgeIpv6 }: NetworkSettings,
  family: Family,
  subnet: string,
): [option: string, given: string] {
  if (family === 'v4') return ['bip', `bip ${bip}`];
  if (bridgeIpv6?.bip !== undefined) return ['bip6', `bip6 ${bridgeIpv6.bip}`];
  return ['fixed-cidr-v6', `fixed-cidr-v6 ${bridgeIpv6?.fixedCidr ?? subnet}`];
}

/** An IPv6 subnet may be a part of the prefix of an uplink: more specific routes take precedence. */
function overlaps(route: ObservedRoute, subnet: Prefix): boolean {
  if (isDefault(route) || route.to === '::/0') return false;
  const prefix = parsePrefix(route.to.includes('/') ? route.to : `${route.to}/${route.to.includes(':') ? 128 : 32}`);
  return prefixesOverlap(prefix, subnet) && !(subnet.family === 6 && prefix.length < subnet.length);
}
