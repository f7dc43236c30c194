/** Reports how the host differs from Netyard's plan, and who may use it as a router. Pure. */
import { formatPrefix, networkOf, parsePrefix, prefixesOverlap } from '@netyard/core';
import { type KernelObject, type Observation, type ObservedRoute, printCommands } from '@netyard/kernel';
import { type BridgeSettings, type FamilySettings, type TunnelBlock, valuesOf } from '@netyard/network';
import type { HostCheck } from './contract.ts';

/** With a running daemon, which repairs what it can: what remains is contested by another program. */
export interface InspectionMode {
  daemonRuns: boolean;
}

// Desired and observed objects

/** One finding per object that is absent or differs; one in total when nothing does. */
export function reportDrift(
  objects: readonly KernelObject[],
  observations: readonly Observation[],
  describe: (object: KernelObject) => string,
  mode: InspectionMode,
): HostCheck[] {
  const findings = objects.flatMap((object, index): HostCheck[] => {
    const observation = observations[index];
    if (!observation || observation.state === 'present') return [];
    const grade = object.kind === 'sysctl' ? 'warning' : 'broken';
    const id = object.kind === 'sysctl' ? 'settings' : 'desired state';
    return [
      { id, grade, text: describeDrift(describe(object), object, observation), fix: fixOf(object, observation, mode) },
    ];
  });
  const sysctls = objects.filter(({ kind }) => kind === 'sysctl').length;
  const of = (id: string): boolean => findings.some((finding) => finding.id === id);
  return [
    ...findings,
    ...(of('settings') || sysctls === 0 ? [] : [passed('settings', `${sysctls} settings as Netyard needs them`)]),
    ...(of('desired state') ? [] : [passed('desired state', `${objects.length - sysctls} objects as planned`)]),
  ];
}

const passed = (id: string, text: string): HostCheck => ({ id, grade: 'ok', text });

function describeDrift(name: string, object: KernelObject, observation: Observation): string {
  if (observation.state === 'absent') return `${name} is missing`;
  const found = observation.state === 'different' ? observation.found : '';
  return object.kind === 'sysctl' ? `${name} is ${found}, not ${object.value}` : `${name} differs: ${found}`;
}

function fixOf(object: KernelObject, observation: Observation, { daemonRuns }: InspectionMode): string {
  const action = observation.state === 'absent' ? 'create' : 'change';
  // Tables are long, and their elements depend on them: the daemon writes them as one transaction.
  const commands = object.kind.startsWith('nft-') ? '' : commandsOf(object, action);
  if (daemonRuns) {
    const culprit = 'find the program that keeps changing it (the log of the daemon names the object)';
    return commands === '' ? culprit : `${culprit}, then: ${commands}`;
  }
  return commands === '' ? 'start the daemon' : `start the daemon, or: ${commands}`;
}

function commandsOf(object: KernelObject, action: 'create' | 'change'): string {
  if (object.kind !== 'address' || action === 'create') return printCommands({ action, object }).join('; ');
  return routeCommand(object.link, object.prefix);
}

/** The route that the kernel creates with the address. */
function routeCommand(link: string, addressPrefix: string): string {
  const prefix = parsePrefix(addressPrefix);
  const [address = ''] = addressPrefix.split('/');
  const to = formatPrefix(networkOf(prefix));
  return prefix.family === 6
    ? `ip route replace ${to} dev ${link} proto kernel metric 256`
    : `ip route replace ${to} dev ${link} proto kernel scope link src ${address}`;
}

// Routes

const mainTable = 254;

/** Routes of other programs that take packets to containers elsewhere: equal to the bridge's subnet or inside it. */
export function reportRoutes(bridges: readonly BridgeSettings[], routes: readonly ObservedRoute[]): HostCheck[] {
  return bridges.flatMap((bridge) =>
    valuesOf<FamilySettings>(bridge).flatMap((settings) => reportRoutesTo(bridge.link, settings, routes)),
  );
}

function reportRoutesTo(
  bridge: string,
  { subnet: text, address }: FamilySettings,
  routes: readonly ObservedRoute[],
): HostCheck[] {
  const subnet = parsePrefix(text);
  return routes
    .filter(({ table, link, to }) => table === mainTable && link !== bridge && /^[\da-f]*[.:]/i.test(to))
    .filter(({ to }) => {
      const prefix = parsePrefix(to.includes('/') ? to : `${to}/${to.includes(':') ? 128 : 32}`);
      return prefix.length >= subnet.length && prefixesOverlap(prefix, subnet);
    })
    .map((route): HostCheck => {
      const via = route.via === undefined ? '' : ` via ${route.via}`;
      const dev = route.link === undefined ? '' : ` dev ${route.link}`;
      const restore = address === undefined ? '' : `; ${routeCommand(bridge, address)}`;
      return {
        id: 'routes',
        grade: 'broken',
        text: `route ${route.to}${via}${dev} takes packets to containers of ${bridge} (${text}) elsewhere`,
        fix: `ip route delete ${route.to}${via}${dev}${restore}`,
      };
    });
}

// Forwarding

export interface ForwardingState {
  /** net.ipv4.ip_forward */
  enabled: boolean;
  /** `--ip-forward` */
  managed: boolean;
  /** The daemon enabled it, not the administrator. */
  byDaemon: boolean;
  /** Not `--ip-forward-no-drop`. */
  drops: boolean;
}

/** Whether this host forwards packets between other hosts. */
export function reportForwarding({ enabled, managed, byDaemon, drops }: ForwardingState): HostCheck {
  const check = { id: 'forwarding', grade: 'info' } as const;
  if (!enabled)
    return {
      id: 'forwarding',
      grade: 'warning',
      text: 'net.ipv4.ip_forward = 0: containers reach nothing beyond this host',
      fix: managed ? 'start the daemon, or: sysctl -w net.ipv4.ip_forward=1' : 'sysctl -w net.ipv4.ip_forward=1',
    };
  if (!byDaemon)
    return {
      ...check,
      text: 'enabled by the administrator, not by Netyard: packets between other hosts are left alone, Netyard drops none of them',
      fix: 'to restrict them, add rules of your own to a forward chain',
    };
  return drops
    ? {
        ...check,
        text: 'enabled by Netyard for containers: packets between other hosts are dropped',
        fix: 'to forward them, start the daemon with --ip-forward-no-drop',
      }
    : {
        ...check,
        text: 'enabled by Netyard with --ip-forward-no-drop: packets between other hosts are left alone',
        fix: 'to drop them, start the daemon without --ip-forward-no-drop',
      };
}

// Tunnels

/** @param blocks undefined: no peer is reached through a tunnel */
export function reportTunnels(blocks: readonly TunnelBlock[] | undefined): HostCheck[] {
  if (blocks === undefined) return [];
  if (blocks.length === 0) return [passed('tunnel', 'no chain drops the packets of tunnels to peers')];
  return blocks.map(({ chain, reason, fix }) => ({
    ...{ id: 'tunnel', grade: 'broken', fix },
    text: `chain ${chain} drops the packets of tunnels to peers (${reason})`,
  }));
}

/** @param links bridges of the networks that accept peers */
export const reportOpenTunnel = (links: readonly string[]): HostCheck => ({
  ...{ id: 'tunnel', grade: 'warning', fix: 'start the daemon without --tunnel-firewall=false' },
  text:
    '--tunnel-firewall=false: packets of the tunnel to peers reach containers on ' +
    `${links.join(', ')} with any source address, past all firewalls`,
});

// Containers

export interface UnrepairedContainer {
  name: string;
  reason: 'capability' | 'label' | 'setting';
}

const reasons = {
  capability: ['it may change its network (CAP_NET_ADMIN)', 'to repair it, create it with --label netyard.repair=true'],
  label: ['label netyard.repair=false', 'to repair it, create it without that label'],
  setting: ['--repair-containers never', 'to repair it, create it with --label netyard.repair=true'],
} as const;

export const reportUnrepaired = ({ name, reason }: UnrepairedContainer): HostCheck => ({
  id: 'containers',
  grade: 'info',
  text: `container ${name}: changes inside it are not repaired: ${reasons[reason][0]}`,
  fix: reasons[reason][1],
});

// Name servers

/** A container whose name server does not run, or answers over UDP only. */
export interface NameServerFailure {
  container: string;
  netnsPath: string;
  /** The socket that could not be opened. */
  protocol: 'udp' | 'tcp';
  error: string;
}

/** Prints the sockets on port 53 of a namespace, and their processes. */
export const listHolders = (netnsPath: string): string => `nsenter --net=${netnsPath} ss -lntup 'sport = :53'`;

export const reportNameServer = ({ container, netnsPath, protocol, error }: NameServerFailure): HostCheck => ({
  id: 'names',
  grade: protocol === 'udp' ? 'broken' : 'warning',
  text:
    `container ${container}: its name server ` +
    (protocol === 'udp' ? `is not open: ${error}` : `answers over UDP only: ${error}`),
  fix: `end what listens on port 53 of the container, the daemon then opens it: ${listHolders(netnsPath)}`,
});
