/** The peers package alone, on any kernel: a host with one network, and the table of the peers' sets without any rule. */
import { setTimeout as pause } from 'node:timers/promises';
import { type Clock, silentLogger, tableName } from '@netyard/core';
import type { Kernel, KernelEvent, KernelObject } from '@netyard/kernel';
import { FakeKernel } from '@netyard/testkit';
import {
  type OpenPeersOptions,
  type OwnHost,
  type OwnNetwork,
  openPeers,
  type PeerRecord,
  type PeerStore,
  type Peers,
  peerSetDeclarations,
  type ReconcileScope,
  uniteScopes,
} from '../src/index.ts';

export const uplink = { kind: 'address', link: 'eth0', prefix: '172.16.2.101/16' } as const;

const ownNetwork: OwnNetwork = {
  networkName: 'bridge',
  link: 'docker0',
  subnet: '172.17.0.0/16',
  gateway: '172.17.0.1',
};

const hostObjects: readonly KernelObject[] = [
  { kind: 'nft-table', family: 'ip', name: tableName, body: peerSetDeclarations },
  { kind: 'bridge', name: ownNetwork.link, up: true },
  { kind: 'address', link: ownNetwork.link, prefix: `${ownNetwork.gateway}/16` },
  { kind: 'sysctl', key: 'net.ipv4.ip_forward', value: '1' },
];

const clock: Clock = { now: () => 1_700_000_000_000_000_000n };

const gatherMilliseconds = 50;

type Settings = Partial<Pick<OpenPeersOptions, 'configured' | 'awaitsCluster'>>;

export class Testbed<K extends Kernel = Kernel> {
  readonly kernel: K;
  readonly refusals: string[] = [];
  readonly stored = new Map<string, PeerRecord>();
  /** MTU limits, in the order in which they were applied. */
  readonly limits: (number | undefined)[] = [];
  readonly store: PeerStore = {
    peers: () => structuredClone([...this.stored.values()]),
    putPeer: (record) => void this.stored.set(record.name, structuredClone(record)),
    deletePeer: (name) => void this.stored.delete(name),
  };
  /** Replaced, not changed, by tests. */
  networks: readonly OwnNetwork[] = [ownNetwork];
  readonly #host: OwnHost = {
    networks: () => this.networks,
    hasIpv6: () => true,
    openTunnel: false,
    mtuChanged: async ({ kernel, mtuLimit }) => {
      if (kernel === this.kernel) this.limits.push(mtuLimit);
      return [];
    },
    refused: (name, problem) => void this.refusals.push(`${name}: ${problem}`),
    ownDeletion: () => undefined,
  };
  peers: Peers;

  readonly #stop = new AbortController();
  #watching: Promise<void> = Promise.resolve();

  constructor(kernel: K, settings: Settings = {}) {
    this.kernel = kernel;
    this.peers = this.open(settings);
  }

  /** Opens the package again on the same store and kernel, as a restarted daemon does. */
  open(settings: Settings = {}): Peers {
    this.peers = openPeers({
      ...{ kernel: this.kernel, store: this.store, host: this.#host, logger: silentLogger, clock },
      ...{ configured: [], awaitsCluster: false },
      ...settings,
    });
    return this.peers;
  }

  async start(): Promise<void> {
    await this.#applyHost();
    await this.peers.adopt();
    await this.peers.reconcile('all');
    this.peers.startSampling();
  }

  /** Repairs after each change in the kernel, as the daemon does, until `close`. */
  watch(): void {
    this.#watching = this.#repairAfterEvents();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#watching;
    await this.peers.close();
  }

  async #applyHost(): Promise<boolean> {
    return (await this.kernel.apply({ owner: 'host', objects: hostObjects })).operations.length > 0;
  }

  /** Events of the same moment, and those that arrive during a repair, are repaired together. */
  async #repairAfterEvents(): Promise<void> {
    let scope: ReconcileScope | undefined;
    let isPending = false;
    let work: Promise<void> = Promise.resolve();
    const repair = async (): Promise<void> => {
      if (!isPending) return;
      await pause(gatherMilliseconds);
      isPending = false;
      const hasChanged = await this.#applyHost();
      const due = hasChanged ? 'all' : scope;
      scope = undefined;
      if (due !== undefined) await this.peers.reconcile(due);
    };
    try {
      for await (const event of this.kernel.watch(this.#stop.signal)) {
        if (isOfOwnBridge(event)) continue;
        const affected = this.peers.affectedBy(event);
        if (affected === undefined && !isOfTable(event)) continue;
        if (affected !== undefined) scope = uniteScopes(scope, affected);
        isPending = true;
        work = work.then(repair);
      }
    } catch (error) {
      if (!this.#stop.signal.aborted) throw error;
    }
    await work;
  }
}

const isOfTable = (event: KernelEvent): boolean => event.type === 'nft' && event.what !== 'element';

const isOfOwnBridge = (event: KernelEvent): boolean => event.type === 'link' && event.name === ownNetwork.link;

/** With an uplink to the segment of the peers. */
export function fakeTestbed(settings: Settings = {}): Testbed<FakeKernel> {
  const kernel = new FakeKernel();
  kernel.appear(uplink);
  return new Testbed(kernel, settings);
}

/** Destinations of Netyard's routes. */
export const routesOf = (kernel: FakeKernel): string[] =>
  kernel.objects().flatMap((object) => (object.kind === 'route' && object.protocol === 78 ? [object.to] : []));
