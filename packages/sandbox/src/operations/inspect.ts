/** Compares the host with Netyard's plan, without changing it: with a running daemon, or with its recorded state. */
import type { KernelObject, Observation } from '@netyard/kernel';
import type { HostFacts } from '@netyard/network';
import {
  describe,
  findBlockedTunnels,
  forwardingKey,
  type HostDependencies,
  listElements,
  planNetworks,
  readHost,
} from '@netyard/network';
import type { Peers } from '@netyard/peers';
import type { HostCheck } from '../inspection/contract.ts';
import {
  type InspectionMode,
  reportDrift,
  reportForwarding,
  reportNameServer,
  reportOpenTunnel,
  reportRoutes,
  reportTunnels,
  reportUnrepaired,
  type UnrepairedContainer,
} from '../inspection/report.ts';
import { bridgeOf, type Sandbox } from '../lookup.ts';
import type { ExplainDependencies } from './explain.ts';
import { isNamespaceRepaired } from './repair-sandbox.ts';

/** Dependencies of the functions in this file. */
export interface InspectDependencies extends ExplainDependencies, HostDependencies {
  readonly peers: Pick<Peers, 'get' | 'refusalOf' | 'explain' | 'values'>;
}

export async function inspect(context: InspectDependencies, mode: InspectionMode): Promise<HostCheck[]> {
  const facts = mode.daemonRuns ? context.facts : await readRecordedFacts(context);
  const inspected: InspectDependencies = { ...context, facts };
  const ids = [...inspected.networks.keys()];
  const objects = planNetworks(inspected, ids).filter(({ kind }) => mode.daemonRuns || kind !== 'nft-element');
  const bridges = ids.flatMap((id) => bridgeOf(inspected, id) ?? []);
  const links = new Set((await context.kernel.listLinks()).map(({ name }) => name));
  if (!mode.daemonRuns && !bridges.some(({ link }) => links.has(link))) return [notSetUp];
  return [
    ...(await observeDrift(inspected, objects, mode)),
    ...reportRoutes(bridges, await context.kernel.listRoutes()),
    reportForwarding({
      enabled: (await context.kernel.readSysctl('net.ipv4.ip_forward')).trim() === '1',
      managed: facts.ipForward,
      byDaemon: facts.enabledForwarding,
      drops: facts.dropsForeignForwarding,
    }),
    ...reportTunnels(await findBlockedTunnels(context.kernel, context.peers.values())),
    ...(context.settings.tunnelFirewall === false
      ? [reportOpenTunnel(bridges.filter(({ acceptsPeers }) => acceptsPeers).map(({ link }) => link))]
      : []),
    ...(mode.daemonRuns ? findUnrepaired(context).map(reportUnrepaired) : []),
    ...(mode.daemonRuns ? context.names.failures().map(reportNameServer) : []),
  ];
}

const notSetUp: HostCheck = {
  id: 'desired state',
  grade: 'info',
  text: "Netyard's bridge does not exist: no daemon has run since this host started",
  fix: 'start the daemon',
};

/**
 * As `readHost`, except that forwarding counts as enabled by the daemon only where its table says so: at a start, a
 * disabled setting means that the daemon will enable it.
 */
async function readRecordedFacts(context: InspectDependencies): Promise<HostFacts> {
  const copy: InspectDependencies = { ...context };
  await readHost(copy);
  const isRecorded = async (family: 'ip' | 'ip6'): Promise<boolean> =>
    (await listElements(context.kernel, 'ip_forward_enabled', family)).some(({ key }) => key === forwardingKey);
  return {
    ...copy.facts,
    enabledForwarding: await isRecorded('ip'),
    enabledIpv6Forwarding: await isRecorded('ip6'),
    advertisedUplinks: [],
  };
}

async function observeDrift(
  { kernel }: InspectDependencies,
  objects: readonly KernelObject[],
  mode: InspectionMode,
): Promise<HostCheck[]> {
  // net.ipv4.ip_forward is part of the report on forwarding.
  const compared = objects.filter((object) => object.kind !== 'sysctl' || object.key !== 'net.ipv4.ip_forward');
  const observations = await kernel.observe(compared);
  const relevant = observations.map((observation) => (mode.daemonRuns ? observation : withoutMtu(observation)));
  return reportDrift(compared, relevant, describe, mode);
}

/** Without a daemon the MTU is unknown: tunnels to peers may limit it. */
const withoutMtu = (observation: Observation): Observation =>
  observation.state === 'different' && /^mtu \d+$/.test(observation.found) ? { state: 'present' } : observation;

// Containers

/** Running containers with a namespace of their own in which changes are not undone. */
function findUnrepaired(context: InspectDependencies): UnrepairedContainer[] {
  return [...context.sandboxes.values()].flatMap((sandbox) => {
    const { config, state } = sandbox;
    if (state?.netnsPath === undefined || state.sharedWith !== undefined) return [];
    return isNamespaceRepaired(context, sandbox) ? [] : [{ name: config.name, reason: reasonOf(context, sandbox) }];
  });
}

function reasonOf(context: InspectDependencies, { config }: Sandbox): UnrepairedContainer['reason'] {
  if (context.containers.info(config.containerId)?.repair === false) return 'label';
  return context.settings.repairContainers === 'never' ? 'setting' : 'capability';
}
