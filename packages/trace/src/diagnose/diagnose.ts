/** `netyard diagnose`: checks a container, a network's containers, or all of them, without sending anything. */
import { NetyardError } from '@netyard/core';
import type { HostContainer, HostTopology } from '@netyard/topology';
import { readConntrack } from '../conntrack.ts';
import { readContainerFile } from '../container-file.ts';
import { findEnd } from '../ends.ts';
import { containerChecks } from './container-checks.ts';
import type { DiagnosedContainer, DiagnoseFinding } from './finding.ts';
import { checkHost } from './host-checks.ts';

/** Throws `not-found` when nothing on this host has the name. Without a target, all running containers are checked. */
export async function diagnose(topology: HostTopology, target?: string): Promise<DiagnoseFinding[]> {
  const containers = target === undefined ? topology.containers.filter(isChecked) : containersOf(topology, target);
  const host = topology.namespaces.find(({ isHost }) => isHost);
  const findings: DiagnoseFinding[] = [];
  for (const container of containers) {
    const namespace = topology.namespaces.find(({ id }) => id === container.namespaceId);
    const diagnosed: DiagnosedContainer = { topology, container, namespace, host, hosts: readHosts(container) };
    findings.push(...containerChecks.flatMap((check) => check(diagnosed)));
  }
  return [...withoutRepeats(findings), ...checkHost(topology, await readConntrack())];
}

/** Containers of one network have the same bridges. */
const withoutRepeats = (findings: readonly DiagnoseFinding[]): DiagnoseFinding[] => [
  ...new Map(findings.map((finding) => [JSON.stringify(finding), finding])).values(),
];

const isChecked = ({ engine, state }: HostContainer): boolean => engine !== 'namespace' && state === 'running';

/** A container, or all members of a network. */
function containersOf(topology: HostTopology, target: string): HostContainer[] {
  const container = findEnd(topology, target)?.container;
  if (container) return [container];
  const networks = topology.networks.filter(
    ({ name, id }) => name === target || (target.length >= 4 && id.startsWith(target)),
  );
  if (networks.length === 0) {
    throw new NetyardError('not-found', `no such container or network on this host: ${target}`, {
      hint: 'netyard topology lists the containers of all engines',
    });
  }
  return topology.containers.filter(({ engine, attachments }) =>
    networks.some(
      (network) => network.engine === engine && attachments.some((attachment) => attachment.network === network.name),
    ),
  );
}

function readHosts({ hostsPath, pid }: HostContainer): DiagnosedContainer['hosts'] {
  const own = pid === undefined ? undefined : readContainerFile(`/proc/${pid}/root`, '/etc/hosts');
  const text = hostsPath === undefined ? own : readContainerFile('/', hostsPath);
  return (text ?? '').split('\n').flatMap((line) => {
    const [address, ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    return address === undefined || address === '' || names.length === 0 ? [] : [{ address, names }];
  });
}
