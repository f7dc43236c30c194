/** What keeps frames of a container's interface from the bridge of its network, which other bridges may extend. Pure. */
import {
  bridgeOf,
  type HostNamespace,
  isAddressed,
  joinedBridges,
  type NamespaceLink,
  pairOf,
} from '@netyard/topology';
import { commandLine } from './command-line.ts';

export interface AttachmentProblem {
  /** A bridge, or an end of a veth pair. */
  link: string;
  /** Behind its name: `is down`, `is not in br-1`. */
  text: string;
  /** A command. */
  fix: string;
}

const down = ({ name }: NamespaceLink): AttachmentProblem => ({
  ...{ link: name, text: 'is down' },
  fix: commandLine`ip link set ${name} up`,
});

const outside = ({ name }: NamespaceLink, bridge: NamespaceLink): AttachmentProblem => ({
  ...{ link: name, text: `is not in ${bridge.name}` },
  fix: commandLine`ip link set ${name} master ${bridge.name}`,
});

/** `port`: the host's end of the container's veth pair. Whether the port itself is up is left to the caller. */
export function attachmentProblems(
  host: HostNamespace,
  port: NamespaceLink,
  network: NamespaceLink,
): AttachmentProblem[] {
  const own = network.up ? [] : [down(network)];
  const bridge = bridgeOf(host, port);
  if (bridge === undefined) return [...own, outside(port, network)];
  const joined = joinedBridges(host, network).find((one) => one.bridge === bridge);
  if (joined === undefined) return [...own, brokenPair(host, bridge, network) ?? outside(port, network)];
  const onTheWay = joined.crossings.flatMap((crossing) => [crossing.port, crossing.far, crossing.bridge]);
  return [...own, ...onTheWay.filter(({ up }) => !up).map(down)];
}

/** A veth pair of which one end is a port of one of these bridges, and the other end of none. */
function brokenPair(host: HostNamespace, bridge: NamespaceLink, network: NamespaceLink): AttachmentProblem | undefined {
  const end = looseEnd(host, [bridge]);
  if (end !== undefined) return outside(end, network);
  const joined = joinedBridges(host, network).map((one) => one.bridge);
  const far = looseEnd(host, joined);
  return far && outside(far, bridge);
}

/** One with an address is how the host itself takes part. */
const looseEnd = (host: HostNamespace, bridges: readonly NamespaceLink[]): NamespaceLink | undefined =>
  host.links
    .filter((link) => bridges.some(({ index }) => index === link.masterIndex))
    .flatMap((link) => pairOf(host, link) ?? [])
    .find((link) => link.masterIndex === undefined && !isAddressed(link));
