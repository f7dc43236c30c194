/**
 * A testbed without an engine: the network package on any kernel, with containers that are only names, states and, on a
 * real kernel, namespaces.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, type Logger, newId, silentLogger } from '@netyard/core';
import type { Kernel } from '@netyard/kernel';
import {
  type ContainerDirectory,
  type NetworkEvent,
  type NetworkSettings,
  type NetworkStore,
  type Networks,
  type NetworksOptions,
  openNetworks,
  type SandboxConfig,
  type SandboxState,
} from '../src/index.ts';
import { memoryStore } from './memory-store.ts';

type State = NonNullable<ReturnType<ContainerDirectory['info']>>['state'];

interface FakeContainer {
  id: string;
  name: string;
  state: State;
  env: string[];
  netAdmin: boolean;
  repair: boolean | undefined;
  project?: string | undefined;
}

type Traits = Partial<Pick<FakeContainer, 'netAdmin' | 'repair' | 'project'>>;

export interface TestbedOptions {
  kernel: Kernel;
  settings?: Partial<NetworkSettings>;
  store?: NetworkStore;
  logger?: Logger;
  netnsDirectory?: string;
  /** Adapters for names across hosts. */
  adapters?: Pick<NetworksOptions, 'directory' | 'clusterNetworks' | 'peerApis' | 'openListener'>;
}

/** Of this process. A test of a daemon that was killed does not close its testbed. */
const directories: string[] = [];
process.on('exit', () => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

function makeDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'netyard-network-'));
  directories.push(directory);
  return directory;
}

export class Testbed {
  readonly directory = makeDirectory();
  readonly kernel: Kernel;
  readonly store: NetworkStore;
  readonly containers = new Map<string, FakeContainer>();
  readonly events: NetworkEvent[] = [];
  readonly settings: NetworkSettings;
  readonly #logger: Logger;
  readonly #adapters: NonNullable<TestbedOptions['adapters']>;
  networks: Networks;

  constructor(options: TestbedOptions) {
    this.kernel = options.kernel;
    this.store = options.store ?? memoryStore();
    this.#logger = options.logger ?? silentLogger;
    this.#adapters = options.adapters ?? {};
    writeFileSync(
      join(this.directory, 'resolv.conf'),
      'nameserver 127.0.0.53\nnameserver 192.0.2.53\nsearch example\n',
    );
    writeFileSync(join(this.directory, 'hosts'), '127.0.0.1\tlocalhost host\n');
    this.settings = {
      bip: '172.17.0.1/16',
      bridgeName: 'docker0',
      icc: true,
      mtu: 0,
      defaultHostAddress: '0.0.0.0',
      ipForward: true,
      ipMasquerade: true,
      dns: [],
      dnsSearch: [],
      dnsOptions: [],
      hostResolvConf: join(this.directory, 'resolv.conf'),
      hostHosts: join(this.directory, 'hosts'),
      netnsDirectory: options.netnsDirectory ?? '/run/netns',
      ...options.settings,
    };
    this.networks = this.open();
  }

  /** Opens the network package again on the same store and kernel, as a restarted daemon does. */
  open(settings: Partial<NetworkSettings> = {}): Networks {
    const clock: Clock = { now: () => 1_700_000_000_000_000_000n };
    this.networks = openNetworks({
      kernel: this.kernel,
      store: this.store,
      containers: this.#directory(),
      settings: { ...this.settings, ...settings },
      logger: this.#logger,
      clock,
      ...this.#adapters,
    });
    this.networks.events((event) => this.events.push(event));
    return this.networks;
  }

  #directory(): ContainerDirectory {
    return {
      find: (ref) => {
        const bare = ref.replace(/^\//, '');
        const all = [...this.containers.values()];
        const found = this.containers.get(bare) ?? all.find((container) => container.name === bare);
        return (found ?? all.find((container) => container.id.startsWith(bare)))?.id;
      },
      info: (id) => {
        const container = this.containers.get(id);
        if (!container) return undefined;
        const { name, state, env, netAdmin, repair, project } = container;
        return { name, state, env, netAdmin, repair, project, hostname: '' };
      },
    };
  }

  config(name: string, overrides: Partial<SandboxConfig> = {}): SandboxConfig {
    const containerId = overrides.containerId ?? newId();
    return {
      containerId,
      name,
      mode: { kind: 'default' },
      hostname: '',
      endpoints: [],
      ports: [],
      publishAll: false,
      exposed: [],
      links: [],
      extraHosts: [],
      dns: [],
      dnsSearch: [],
      dnsOptions: [],
      filesDirectory: join(this.directory, containerId),
      sysctls: {},
      ...overrides,
    };
  }

  /** Returns the new container's id. */
  async create(name: string, overrides: Partial<SandboxConfig> = {}, traits: Traits = {}): Promise<string> {
    const config = this.config(name, overrides);
    await this.networks.register(config);
    mkdirSync(config.filesDirectory, { recursive: true }); // as the engine does
    const container: FakeContainer = {
      ...{ id: config.containerId, name, state: 'created', env: [], netAdmin: false, repair: undefined },
      ...traits,
    };
    this.containers.set(config.containerId, container);
    return config.containerId;
  }

  async start(id: string): Promise<SandboxState> {
    const state = await this.networks.prepare(id);
    this.setState(id, 'running');
    return state;
  }

  async run(
    name: string,
    overrides: Partial<SandboxConfig> = {},
    traits: Traits = {},
  ): Promise<SandboxState & { containerId: string }> {
    const containerId = await this.create(name, overrides, traits);
    return { ...(await this.start(containerId)), containerId };
  }

  async stop(id: string): Promise<void> {
    this.setState(id, 'exited');
    await this.networks.release(id);
  }

  async remove(id: string): Promise<void> {
    if (this.containers.get(id)?.state === 'running') await this.stop(id);
    await this.networks.unregister(id);
    this.containers.delete(id);
  }

  async rename(id: string, name: string): Promise<void> {
    await this.networks.rename(id, name);
    const container = this.containers.get(id);
    if (container) container.name = name;
  }

  setState(id: string, state: State): void {
    const container = this.containers.get(id);
    if (container) container.state = state;
  }

  async close(): Promise<void> {
    await this.networks.close();
    rmSync(this.directory, { recursive: true });
  }
}

/** A container that is connected to these networks when it starts. */
export const on = (first: string, ...others: string[]): Partial<SandboxConfig> => ({
  mode: { kind: 'network', ref: first },
  endpoints: [first, ...others].map((network) => ({ network })),
});
