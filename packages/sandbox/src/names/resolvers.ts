/** Which containers use Netyard's name server, and the upstream servers of each. Pure. */
import { dnsPort } from '@netyard/dns';
import type { SandboxConfig } from '../contract.ts';
import { parseResolvConf } from '../files/resolv-conf.ts';

/** Address of the name server inside each container's namespace. */
export const serverAddress = '127.0.0.11';

const isLoopback = (address: string): boolean => /^127\.|^::1$/.test(address);

/**
 * Containers with a network of their own, except those that are name servers themselves: their port 53 stays free on
 * every address. A container whose options name a resolver on its own loopback keeps that one.
 */
export function asksOurServer(config: Pick<SandboxConfig, 'mode' | 'exposed' | 'ports' | 'dns'>): boolean {
  const { kind } = config.mode;
  if (kind === 'host' || kind === 'none' || kind === 'container') return false;
  const ownServer =
    config.exposed.some(({ port }) => port === dnsPort) ||
    config.ports.some(({ containerPort }) => containerPort === dnsPort);
  return !ownServer && !config.dns.some(isLoopback);
}

/** The container's `--dns`, else the daemon's, else the host's, including loopback: queries are sent from the host. */
export function upstreamsOf(requested: readonly string[], daemon: readonly string[], hostResolvConf: string): string[] {
  if (requested.length > 0) return [...requested];
  return daemon.length > 0 ? [...daemon] : parseResolvConf(hostResolvConf).nameservers;
}
