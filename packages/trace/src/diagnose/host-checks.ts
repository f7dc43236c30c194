/** Checks of the host that concern all its containers. Pure. */
import { type HostNamespace, type HostTopology, isBareBridge } from '@netyard/topology';
import type { ConntrackFill } from '../model.ts';
import { broken, type DiagnoseFinding, fine, suspicious } from './finding.ts';

/** From this share on, a burst can fill the table. */
const highFill = 0.9;

export function checkHost(topology: HostTopology, conntrack: ConntrackFill | undefined): DiagnoseFinding[] {
  const host = topology.namespaces.find(({ isHost }) => isHost);
  return [
    ...(host === undefined
      ? []
      : [...checkForwarding(topology, host), ...checkLegacy(host), ...checkReversePath(topology, host)]),
    ...(conntrack === undefined ? [] : [checkConntrack(conntrack)]),
    ...topology.engines.flatMap(({ kind, source, problem }) =>
      problem === undefined ? [] : [suspicious('engine', `${kind} at ${source}: ${problem}`)],
    ),
  ];
}

function checkForwarding(topology: HostTopology, { forwarding }: HostNamespace): DiagnoseFinding[] {
  const routed = topology.networks.filter(({ driver }) => driver === 'bridge');
  if (routed.length === 0) return [];
  if (forwarding.v4) return [fine('forwarding', 'net.ipv4.ip_forward is 1')];
  return [
    broken(
      'forwarding',
      'net.ipv4.ip_forward is 0: no packet passes between networks',
      'sysctl -w net.ipv4.ip_forward=1',
    ),
  ];
}

const checkLegacy = ({ legacyTables }: HostNamespace): DiagnoseFinding[] =>
  legacyTables.length === 0
    ? []
    : [
        suspicious(
          'iptables-legacy',
          `iptables-legacy has tables (${legacyTables.join(', ')}), whose rules nft does not show and a trace does not see`,
          'iptables-legacy -S; move its rules to nftables',
        ),
      ];

/** Strict reverse path filtering on bridges drops packets of peers that return by another way. */
function checkReversePath(topology: HostTopology, host: HostNamespace): DiagnoseFinding[] {
  const bridges = topology.networks.flatMap(({ link }) => (link === undefined ? [] : [link]));
  const strict = host.links.filter(({ name, rpFilter }) => rpFilter === 1 && !bridges.includes(name) && name !== 'lo');
  const uplinks = strict.filter(
    (link) => link.masterIndex === undefined && link.kind !== 'veth' && !isBareBridge(link),
  );
  return uplinks.length < 2
    ? []
    : [
        suspicious(
          'rp-filter',
          `rp_filter is strict on ${uplinks.map(({ name }) => name).join(', ')}: answers that leave by another interface are dropped`,
          'sysctl -w net.ipv4.conf.all.rp_filter=2',
        ),
      ];
}

const checkConntrack = ({ entries, limit }: ConntrackFill): DiagnoseFinding => {
  const text = `${entries} of ${limit} connections`;
  if (entries >= limit)
    return broken(
      'conntrack',
      `connection tracking is full: ${text}; new connections are dropped`,
      `sysctl -w net.netfilter.nf_conntrack_max=${limit * 2}`,
    );
  if (entries >= limit * highFill)
    return suspicious(
      'conntrack',
      `connection tracking is nearly full: ${text}`,
      `sysctl -w net.netfilter.nf_conntrack_max=${limit * 2}`,
    );
  return fine('conntrack', text);
};
