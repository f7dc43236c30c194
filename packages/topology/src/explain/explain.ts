/**
 * The commands that would build a container's namespace, or an engine's network, as it was observed: on an empty host they
 * create the same links, addresses and routes. Pure.
 */
import { NetyardError } from '@netyard/core';
import { netnsDirectory } from '@netyard/kernel';
import type { HostContainer, HostNamespace, HostNetwork, HostTopology } from '../model.ts';
import { findTargets, qualifiedName, type Target } from '../targets.ts';
import { bridgeSteps, extensionSteps, type FindPlace, type Place, planLinks } from './links.ts';
import { neighbourSteps, routeSteps, ruleSteps } from './routes.ts';
import { type Explanation, objectStep, type Step } from './steps.ts';

/** Networks by `NAME` or `ENGINE/NAME`. */
export const findNetworks = (host: Pick<HostTopology, 'networks'>, text: string): HostNetwork[] =>
  host.networks.filter(({ engine, name, id }) => [name, id, `${engine}/${name}`].includes(text));

/**
 * Explains a target of `findTarget`. Throws `conflict` when it does not run, when its namespace cannot be seen, and for the
 * host itself.
 */
export function explainTarget(host: HostTopology, target: Target): Explanation {
  const { container, namespaceId } = target;
  const namespace = host.namespaces.find(({ id }) => id === namespaceId);
  const title = titleOf(host, target, namespace);
  if (namespace === undefined) {
    const reason = container?.pid === undefined ? 'it is not running' : 'its network namespace cannot be seen';
    throw new NetyardError('conflict', `cannot explain ${title}: ${reason}`);
  }
  if (namespace.isHost)
    throw new NetyardError('conflict', `cannot explain ${title}: it uses the network of the host itself`, {
      hint: 'run `ip address` and `ip route` to see it',
    });
  const find = placeFinder(host);
  const place: Place = { namespace, ns: scriptPath(host, namespace) };
  const plan = planLinks(place, find);
  const namespaces = [place, ...plan.places].flatMap(({ ns }) =>
    ns === undefined ? [] : objectStep({ kind: 'netns', path: ns }),
  );
  const ends = plan.routedEnds.flatMap(({ place: where, link }) => routeSteps(where, new Set([link.name])));
  return {
    title: `${title}, as observed on ${host.hostName}`,
    steps: withoutRepeats([
      ...[...namespaces, ...plan.steps, ...forwardingSteps(place)],
      ...[...routeSteps(place), ...ends, ...ruleSteps(place), ...neighbourSteps(place)],
    ]),
    notes: [...plan.notes, ...portNotes(host, namespace)],
  };
}

/** A bridge with two members is planned for each. */
const withoutRepeats = (steps: readonly Step[]): Step[] => [
  ...new Map(steps.map((step) => [step.commands.join('\n'), step])).values(),
];

/** Explains the bridge of a network, and those that extend it. Throws `conflict` for one without a bridge on the host. */
export function explainNetwork(host: HostTopology, network: HostNetwork): Explanation {
  const namespace = host.namespaces.find(({ isHost }) => isHost);
  const bridge = namespace?.links.find(({ name, kind }) => name === network.link && kind === 'bridge');
  const title = `network ${network.name} of ${network.engine}`;
  if (namespace === undefined || bridge === undefined)
    throw new NetyardError('conflict', `cannot explain ${title}: it has no bridge on this host`);
  const place = { namespace, ns: undefined };
  return {
    title: `${title} (${network.id.slice(0, 12)}), as observed on ${host.hostName}`,
    steps: [...bridgeSteps(place, bridge), ...extensionSteps(place, bridge)],
    notes: [`the firewall rules of ${network.engine} are not included`],
  };
}

function titleOf(host: HostTopology, { container }: Target, namespace: HostNamespace | undefined): string {
  if (container === undefined || container.engine === 'namespace')
    return `namespace ${namespace?.name ?? container?.name ?? '?'}`;
  const shared = othersIn(host, container).map(({ name }) => name);
  const beside =
    shared.length === 0 ? '' : `, whose namespace ${shared.join(', ')} ${shared.length === 1 ? 'shares' : 'share'}`;
  return `container ${container.name} of ${container.engine} (${container.id.slice(0, 12)})${beside}`;
}

const othersIn = (host: HostTopology, { id, namespaceId }: HostContainer): HostContainer[] =>
  namespaceId === undefined ? [] : host.containers.filter((each) => each.namespaceId === namespaceId && each.id !== id);

/** Where the script has a namespace: under its own name if `ip netns` knows it, else under that of a container. */
function scriptPath(host: HostTopology, { id, path, name }: HostNamespace): string {
  if (
    path.startsWith(`${netnsDirectory}/`) &&
    !host.containers.some((each) => each.namespaceId === id && each.engine !== 'namespace')
  )
    return path;
  const owner = host.containers.find((each) => each.namespaceId === id && !each.networkMode?.startsWith('container:'));
  return `${netnsDirectory}/${(owner?.name ?? name).replace(/[^\w.-]+/g, '-')}`;
}

function placeFinder(host: HostTopology): FindPlace {
  return (namespaceId) => {
    const namespace = host.namespaces.find(({ id }) => id === namespaceId);
    if (namespace === undefined) return undefined;
    return { namespace, ns: namespace.isHost ? undefined : scriptPath(host, namespace) };
  };
}

function forwardingSteps({ namespace: { forwarding }, ns }: Place): Step[] {
  const sysctl = (key: string): Step =>
    objectStep({ kind: 'sysctl', ...(ns === undefined ? {} : { ns }), key, value: '1' });
  return [
    ...(forwarding.v4 ? [sysctl('net.ipv4.ip_forward')] : []),
    ...(forwarding.v6 ? [sysctl('net.ipv6.conf.all.forwarding')] : []),
  ];
}

/** Published ports are rules or processes of their engine on the host. */
function portNotes(host: HostTopology, { id }: HostNamespace): string[] {
  const containers = host.containers.filter(({ namespaceId, engine }) => namespaceId === id && engine !== 'namespace');
  const engines = [...new Set(containers.map(({ engine }) => engine))];
  const ports = containers
    .flatMap((container) => container.ports)
    .map(({ hostPort, protocol }) => `${hostPort}/${protocol}`);
  const published = ports.length === 0 ? '' : `, nor its published ports ${[...new Set(ports)].join(', ')}`;
  return engines.map((engine) => `the firewall rules of ${engine} are not included${published}`);
}

/** Explains what a user names: a container, a namespace, or a network. Undefined when there is none of that name. */
export function explainNamed(host: HostTopology, text: string): Explanation | undefined {
  const targets = findTargets(host, text);
  const networks = targets.length > 0 ? [] : findNetworks(host, text);
  const names = [
    ...targets.map((target) => qualifiedName(host, target)),
    ...networks.map(({ engine, name }) => `${engine}/${name}`),
  ];
  if (names.length > 1)
    throw new NetyardError('conflict', `${text} is ambiguous: ${names.join(', ')}`, { hint: 'name one of these' });
  if (targets[0] !== undefined) return explainTarget(host, targets[0]);
  return networks[0] === undefined ? undefined : explainNetwork(host, networks[0]);
}
