/**
 * Whether the daemon enables IPv6 forwarding, and for which uplinks it has to be prepared. Reads only: plan/host.ts plans
 * the settings.
 */
import type { Kernel } from '@netyard/kernel';
import type { NetworkSettings } from '../contract.ts';
import type { HostFacts } from '../model.ts';
import { sysctlLink } from '../object-names.ts';
import { forwardingKey } from '../plan/host.ts';
import { listElements } from './table-elements.ts';

/** Dependencies of the functions in this file. */
export interface Ipv6ForwardingDependencies {
  readonly kernel: Pick<Kernel, 'listNftElements' | 'listRoutes' | 'readSysctl'>;
  readonly settings: NetworkSettings;
}

type Forwarding = Pick<HostFacts, 'enabledIpv6Forwarding' | 'advertisedUplinks'>;

/** As for IPv4: forwarding is off, or an element records that an earlier start of the daemon enabled it. */
export async function readIpv6Forwarding(
  { kernel, settings }: Ipv6ForwardingDependencies,
  { ipv6Networks }: Pick<HostFacts, 'ipv6Networks'>,
): Promise<Forwarding> {
  const recorded = (await listElements(kernel, 'ip_forward_enabled', 'ip6')).some(({ key }) => key === forwardingKey);
  const isOff = async (): Promise<boolean> => (await kernel.readSysctl('net.ipv6.conf.all.forwarding')).trim() === '0';
  const enables = settings.ipForward && ipv6Networks && (await isOff());
  return {
    enabledIpv6Forwarding: recorded || enables,
    advertisedUplinks: enables ? await findAdvertisedUplinks(kernel) : [],
  };
}

/**
 * Those whose router advertisements the kernel processes (accept_ra=1), and that have a default route from them. Programs
 * such as systemd-networkd process them themselves, with accept_ra=0.
 */
async function findAdvertisedUplinks(kernel: Ipv6ForwardingDependencies['kernel']): Promise<string[]> {
  const routes = await kernel.listRoutes();
  const links = routes.flatMap(({ to, via, link, protocol }) =>
    to === 'default' && protocol === advertised && via?.includes(':') && link !== undefined ? [link] : [],
  );
  const found: string[] = [];
  for (const link of new Set(links))
    if ((await kernel.readSysctl(`net.ipv6.conf.${sysctlLink(link)}.accept_ra`)).trim() === '1') found.push(link);
  return found;
}

/** linux/rtnetlink.h RTPROT_RA. */
const advertised = 9;
