/** An in-memory NetworkStore for tests of the network package alone. Stores copies, as a real store does. */
import type { PeerRecord } from '@netyard/peers';
import type {
  EndpointRecord,
  LinkRecord,
  NetworkRecord,
  NetworkStore,
  SandboxConfig,
  SandboxState,
} from '../src/index.ts';

export function memoryStore(): NetworkStore {
  const networks = new Map<string, NetworkRecord>();
  const sandboxes = new Map<string, { config: SandboxConfig; state?: SandboxState }>();
  const endpoints = new Map<string, EndpointRecord>();
  const links = new Map<string, LinkRecord>();
  const peers = new Map<string, PeerRecord>();
  const leases = new Map<string, { networkId: string; address: string; containerId: string }>();
  const cursors = new Map<string, string>();
  const linkKey = (link: LinkRecord): string => `${link.parentId}/${link.alias}`;
  return {
    networks: () => structuredClone([...networks.values()]),
    putNetwork: (record) => void networks.set(record.id, structuredClone(record)),
    deleteNetwork: (id) => void networks.delete(id),
    sandboxes: () => structuredClone([...sandboxes.values()]),
    putSandbox: (config, state) =>
      void sandboxes.set(config.containerId, structuredClone(state === undefined ? { config } : { config, state })),
    deleteSandbox: (id) => void sandboxes.delete(id),
    endpoints: () => structuredClone([...endpoints.values()]),
    putEndpoint: (record) => void endpoints.set(record.id, structuredClone(record)),
    deleteEndpoint: (id) => void endpoints.delete(id),
    links: () => structuredClone([...links.values()]),
    putLink: (link) => void links.set(linkKey(link), structuredClone(link)),
    deleteLink: (link) => void links.delete(linkKey(link)),
    peers: () => structuredClone([...peers.values()]),
    putPeer: (record) => void peers.set(record.name, structuredClone(record)),
    deletePeer: (name) => void peers.delete(name),
    leases: (networkId) => [...leases.values()].filter((lease) => lease.networkId === networkId),
    putLease: (networkId, address, containerId) =>
      void leases.set(`${networkId} ${address}`, { networkId, address, containerId }),
    deleteLease: (networkId, address) => void leases.delete(`${networkId} ${address}`),
    cursor: (networkId, family) => cursors.get(`${networkId} ${family}`),
    putCursor: (networkId, family, address) => void cursors.set(`${networkId} ${family}`, address),
    transaction: (work) => work(),
  };
}
