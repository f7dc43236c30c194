/** Networks that record calls and do not touch the kernel. */
import { NetyardError } from '@netyard/core';
import type { NetworkEvent, NetworkRecord } from '@netyard/network';
import type { ContainerDirectory, LinkRecord, Networks, SandboxConfig, SandboxState } from '@netyard/sandbox';

export class FakeNetworks {
  readonly calls: string[] = [];
  readonly configs = new Map<string, SandboxConfig>();
  readonly states = new Map<string, SandboxState>();
  linkRecords: LinkRecord[] = [];
  networkRecords: NetworkRecord[] = [];
  /** Containers of calls of `holdWatch` that were not released yet. */
  readonly heldWatches: string[] = [];
  onRemoveNetwork: ((name: string) => void | Promise<void>) | undefined;
  onPrepare: (() => void) | undefined;
  onCheckLinks: (() => void) | undefined;

  build(containers: ContainerDirectory): Networks {
    const { calls, configs, states } = this;
    const used = {
      containers,
      start: async (running: readonly string[]) => void calls.push(`start ${running.length}`),
      list: () => [...this.networkRecords],
      get: (ref: string) => {
        const found = this.networkRecords.find(({ name, id }) => name === ref || id === ref);
        if (!found) throw new NetyardError('not-found', `network ${ref} not found`);
        return found;
      },
      uses: () => [],
      endpoints: { list: () => [] },
      remove: async (ref: string) => {
        const found = this.networkRecords.find(({ id }) => id === ref);
        await this.onRemoveNetwork?.(found?.name ?? ref);
        this.networkRecords = this.networkRecords.filter((record) => record !== found);
      },
      register: async (config: SandboxConfig) => {
        configs.set(config.containerId, config);
        return { warnings: [] };
      },
      prepare: async (id: string) => {
        this.onPrepare?.();
        const directory = configs.get(id)?.filesDirectory ?? '';
        const files = {
          hosts: `${directory}/hosts`,
          hostname: `${directory}/hostname`,
          resolvConf: `${directory}/resolv.conf`,
        };
        const state: SandboxState = { id, netnsPath: '/run/netns/fake', files, endpoints: [], ports: [] };
        states.set(id, state);
        return state;
      },
      planRelease: async (id: string) =>
        states.has(id) ? [{ action: 'delete', object: { kind: 'netns', path: '/run/netns/fake' } }] : [],
      planRemoveLink: async (name: string) => {
        calls.push(`planRemoveLink ${name}`);
        return [];
      },
      release: async (id: string) => void states.delete(id),
      unregister: async (id: string) => {
        states.delete(id);
        configs.delete(id);
      },
      rename: async (id: string, name: string) => void calls.push(`rename ${id} ${name}`),
      state: (id: string) => states.get(id),
      config: (id: string) => configs.get(id),
      links: (id: string) => this.linkRecords.filter((link) => link.parentId === id),
      warnings: () => [],
      linksTo: (id: string) => this.linkRecords.filter((link) => link.childId === id),
      findLink: () => undefined,
      removeLink: async (name: string) => void calls.push(`removeLink ${name}`),
      checkLinks: () => this.onCheckLinks?.(),
      linkEnvironment: () => [],
      holdWatch: (containerId: string) => {
        this.heldWatches.push(containerId);
        return () => void this.heldWatches.splice(this.heldWatches.indexOf(containerId), 1);
      },
      events: (_listener: (event: NetworkEvent) => void) => () => undefined,
      cleanup: async () => [],
    };
    return used as unknown as Networks;
  }
}
