/** Which containers use Netyard's name server, and the upstream servers of each. Pure. */
import { dnsPort } from '@netyard/dns';
import type { NetworkSettings, SandboxConfig } from '../contract.ts';
import type { ResolvConf } from '../files/resolv-conf.ts';

/** Address of the name server inside each container's namespace. */
export const serverAddress = '127.0.0.11';

const isLoopback = (address: string): boolean => /^127\.|^::1$/.test(address);

/** Whether the container is a name server itself, by its exposed and published ports. */
export const servesDns = ({ exposed, ports }: Pick<SandboxConfig, 'exposed' | 'ports'>): boolean =>
  exposed.some(({ port }) => port === dnsPort) || ports.some(({ containerPort }) => containerPort === dnsPort);

/**
 * For names across hosts: containers with a network of their own, except those that are name servers themselves: their
 * port 53 stays free on every address. A container whose options name a resolver on its own loopback keeps that one.
 */
export function asksOurServer(config: Pick<SandboxConfig, 'mode' | 'exposed' | 'ports' | 'dns'>): boolean {
  const { kind } = config.mode;
  if (kind === 'host' || kind === 'none' || kind === 'container') return false;
  return !servesDns(config) && !config.dns.some(isLoopback);
}

/** The container's `--dns`, else the daemon's, else the host's, including loopback: queries are sent from the host. */
export function upstreamsOf(requested: readonly string[], daemon: readonly string[], host: ResolvConf): string[] {
  if (requested.length > 0) return [...requested];
  return daemon.length > 0 ? [...daemon] : host.nameservers;
}

export interface UpstreamChoice {
  servers: string[];
  /** The namespace from which the servers are asked. */
  from: 'host' | 'container';
}

/**
 * On user-defined networks, as in Docker: servers of `--dns` are those that the container reaches, so 127.0.0.1 is the
 * container itself. The host's servers are asked from the host, but not for a container that has only internal networks
 * (CVE-2024-29018).
 */
export function chooseUpstreams(
  requested: readonly string[],
  daemon: readonly string[],
  host: { file: ResolvConf; isReachable: boolean },
): UpstreamChoice {
  const own = requested.length > 0 ? requested : daemon;
  if (own.length > 0) return { servers: own.filter((address) => address !== serverAddress), from: 'container' };
  return { servers: host.isReachable ? host.file.nameservers : [], from: 'host' };
}

/**
 * Whether single labels are not forwarded: with an `ndots` of the user or the host, the resolver tries them with its
 * search domains.
 */
export function keepsSingleLabels(
  config: Pick<SandboxConfig, 'dnsOptions'>,
  settings: Pick<NetworkSettings, 'dnsOptions'>,
  host: ResolvConf,
): boolean {
  const [own, daemon] = [config.dnsOptions, settings.dnsOptions];
  const options = own.length > 0 ? own : daemon.length > 0 ? daemon : host.options;
  return options.some((option) => /^ndots:\d+$/.test(option));
}
