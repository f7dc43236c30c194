/** The peers package alone, on an in-memory kernel: a host with one network and the table that the peers' sets are in. */
import { type Clock, silentLogger, tableName } from '@netyard/core';
import type { KernelObject } from '@netyard/kernel';
import { FakeKernel } from '@netyard/testkit';
import {
  type OpenPeersOptions,
  type OwnHost,
  openPeers,
  type PeerRecord,
  type PeerStore,
  type Peers,
} from '../src/index.ts';
import { peerSets } from '../src/sets.ts';

export const uplink = { kind: 'address', link: 'eth0', prefix: '172.16.2.101/16' } as const;

const ownNetwork = { networkName: 'bridge', link: 'docker0', subnet: '172.17.0.0/16', gateway: '172.17.0.1' };

const hostObjects: readonly KernelObject[] = [
  {
    ...{ kind: 'nft-table', family: 'ip', name: tableName },
    body: peerSets.map((set) => `set ${set} { type ipv4_addr; counter; }`).join('\n'),
  },
  { kind: 'bridge', name: ownNetwork.link, up: true },
  { kind: 'address', link: ownNetwork.link, prefix: `${ownNetwork.gateway}/16` },
  { kind: 'sysctl', key: 'net.ipv4.ip_forward', value: '1' },
];

const clock: Clock = { now: () => 1_700_000_000_000_000_000n };

export class Testbed {
  readonly kernel = new FakeKernel();
  readonly refusals: string[] = [];
  readonly stored = new Map<string, PeerRecord>();
  /** MTU limits, in the order in which they were applied. */
  readonly limits: (number | undefined)[] = [];
  readonly store: PeerStore = {
    peers: () => structuredClone([...this.stored.values()]),
    putPeer: (record) => void this.stored.set(record.name, structuredClone(record)),
    deletePeer: (name) => void this.stored.delete(name),
  };
  readonly #host: OwnHost = {
    networks: () => [ownNetwork],
    hasIpv6: () => true,
    mtuChanged: async () => {
      this.limits.push(this.peers.mtuLimit);
      return [];
    },
    refused: (name, problem) => void this.refusals.push(`${name}: ${problem}`),
    ownDeletion: () => undefined,
  };
  peers: Peers;

  constructor(options: Partial<Pick<OpenPeersOptions, 'configured' | 'awaitsCluster'>> = {}) {
    this.kernel.appear(uplink);
    for (const object of hostObjects) this.kernel.appear(object);
    this.peers = this.open(options);
  }

  /** Opens the package again on the same store and kernel, as a restarted daemon does. */
  open(options: Partial<Pick<OpenPeersOptions, 'configured' | 'awaitsCluster'>> = {}): Peers {
    this.peers = openPeers({
      ...{ kernel: this.kernel, store: this.store, host: this.#host, logger: silentLogger, clock },
      ...{ configured: [], awaitsCluster: false },
      ...options,
    });
    return this.peers;
  }

  async start(): Promise<void> {
    await this.peers.adopt();
    await this.peers.reconcile('all');
    this.peers.startSampling();
  }

  /** Destinations of Netyard's routes. */
  routes(): string[] {
    return this.kernel
      .objects()
      .flatMap((object) => (object.kind === 'route' && object.protocol === 78 ? [object.to] : []));
  }
}
