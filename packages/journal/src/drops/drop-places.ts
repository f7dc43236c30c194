/** Names the places in which packets were dropped: the host, and the namespaces of Netyard's containers and endpoints. */
import type { Networks } from '@netyard/sandbox';
import { isLinkOf } from '../own-links.ts';

/** A network namespace of this host or of an endpoint. */
export interface DropNamespace {
  /** Another one for a namespace that is created again at the path. */
  key: string;
  path: string;
  /** Such as `container web`. */
  object: string;
  names: readonly string[];
}

const hostPath = '/proc/self/ns/net';

/** Those of containers with endpoints on a network, of attached endpoints, and the host's. */
export function listDropNamespaces(networks: Networks): DropNamespace[] {
  const containers = new Map<string, DropNamespace>();
  for (const { containerId, containerName, endpoint } of networks.uses()) {
    const { id: key = '', netnsPath: path, sharedWith } = networks.state(containerId) ?? {};
    if (path === undefined || sharedWith !== undefined) continue; // the owner's name stands for all
    const names = [...(containers.get(containerId)?.names ?? [containerName, containerId]), endpoint.networkName];
    containers.set(containerId, { key, path, object: `container ${containerName}`, names });
  }
  const attached = networks.endpoints.list().map(({ id, name, netnsPath, endpoint }) => ({
    ...{ key: id, path: netnsPath, object: `endpoint ${name}`, names: [name, id, endpoint.networkName] },
  }));
  return [{ key: 'host', path: hostPath, object: 'host', names: [] }, ...containers.values(), ...attached];
}

/** The network of a bridge or a segment, or the container of a veth. */
export function namesOfHostLink(networks: Networks, link: string): string[] {
  const network = networks.list().find((one) => isLinkOf(one, link));
  if (network) return [network.name, network.id];
  const use = networks.uses().find(({ endpoint }) => endpoint.hostLink === link);
  return use ? [use.containerName, use.containerId, use.endpoint.networkName] : [];
}
