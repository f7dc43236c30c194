/** Which containers ask our name server, and whom it asks in turn. Pure. */
import { dnsPort } from '@netyard/dns';
import type { SandboxConfig } from '../contract.ts';
import { parseResolvConf } from '../files/resolv-conf.ts';

/** Where containers find their name server. */
export const serverAddress = '127.0.0.11';

const isLoopback = (address: string): boolean => /^127\.|^::1$/.test(address);

/**
 * Containers with a network of their own, but for those that are name servers themselves: their port 53 stays theirs
 * on every address. Who names a resolver on its own loopback wants that one.
 */
export function asksOurServer(config: Pick<SandboxConfig, 'mode' | 'exposed' | 'ports' | 'dns'>): boolean {
  const { kind } = config.mode;
  if (kind === 'host' || kind === 'none' || kind === 'container') return false;
  const ownServer =
    config.exposed.some(({ port }) => port === dnsPort) ||
    config.ports.some(({ containerPort }) => containerPort === dnsPort);
  return !ownServer && !config.dns.some(isLoopback);
}

/** The container's own wishes, else the daemon's, else the host's name servers, loopback ones included: we ask from there. */
export function upstreamsOf(wishes: readonly string[], daemon: readonly string[], hostResolvConf: string): string[] {
  if (wishes.length > 0) return [...wishes];
  return daemon.length > 0 ? [...daemon] : parseResolvConf(hostResolvConf).nameservers;
}
