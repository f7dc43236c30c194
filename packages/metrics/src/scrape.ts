/** One reading of everything that is measured, shared by all scrapes at about the same time. */
import { type Clock, type Logger, messageOf } from '@netyard/core';
import type { ContainerConfig, ContainerRecord, ContainerState, EngineCounters } from '@netyard/engine';
import type { Kernel } from '@netyard/kernel';
import type { Networks, SandboxState } from '@netyard/sandbox';
import type { Activity } from './activity.ts';
import { containerFamilies, type TaskUsage } from './container-families.ts';
import { type EngineFacts, engineFamilies } from './engine-families.ts';
import { type Family, formatFamilies } from './exposition.ts';
import { type Conntrack, conntrackFamilies, peerFamilies, poolFamilies } from './host-families.ts';
import { type CountersKernel, InterfaceCounters } from './interface-counters.ts';
import { UsageReader } from './read-usage.ts';

/** What is read of a container, with or without a process. */
export interface ListedContainer {
  record: Pick<ContainerRecord, 'id' | 'name'> & {
    config: Pick<ContainerConfig, 'image' | 'cgroupParent'>;
    state: Pick<ContainerState, 'status' | 'startedAt'>;
  };
  network: SandboxState | undefined;
}

export interface MetricsSources {
  activity: Activity;
  /** All containers. */
  listContainers: () => Promise<readonly ListedContainer[]>;
  engineCounters: () => EngineCounters;
  networks: Pick<Networks, 'list' | 'subnetUse' | 'peers'>;
  kernel: CountersKernel & Pick<Kernel, 'readSysctl'>;
  /** By path of a cgroup. Rejects if it is gone. */
  readUsage: (cgroupPath: string) => Promise<TaskUsage>;
  facts: EngineFacts;
  /** Parent cgroup of containers that name none. */
  cgroupParent: string;
  clock: Pick<Clock, 'now'>;
  logger: Logger;
}

/** How long a reading is served: clients that ask in a loop cost two readings a second. */
const REUSE_MS = 500;
/** For the cgroups of all containers. */
const USAGE_LIMIT_MS = 1_000;
/** For any other part of a reading. */
const PART_LIMIT_MS = 3_000;

export class Scraper {
  readonly #sources: MetricsSources;
  readonly #interfaces: InterfaceCounters;
  readonly #usage: UsageReader<TaskUsage>;
  /** Parts whose last reading failed, with the reason: logged once. */
  readonly #failures = new Map<string, string>();
  #reading: Promise<string> | undefined;
  #readAt = Number.NEGATIVE_INFINITY;

  constructor(sources: MetricsSources) {
    this.#sources = sources;
    this.#interfaces = new InterfaceCounters(sources.kernel);
    this.#usage = new UsageReader(sources.readUsage);
  }

  /** The text of a scrape. A part that cannot be read is left out and logged. */
  async scrape(): Promise<string> {
    const isFresh = performance.now() - this.#readAt < REUSE_MS;
    if (this.#reading === undefined || !isFresh) {
      this.#readAt = Number.POSITIVE_INFINITY; // until it has ended: a slow reading is shared as well
      this.#reading = this.#read().finally(() => {
        this.#readAt = performance.now();
      });
    }
    return await this.#reading;
  }

  async #read(): Promise<string> {
    const { activity, networks, facts, engineCounters } = this.#sources;
    const [containers, peers, conntrack] = await Promise.all([
      this.#part('containers', () => this.#readContainers()),
      this.#part('peers', async () => peerFamilies(await networks.peers())),
      this.#part('conntrack', async () => conntrackFamilies(await this.#readConntrack())),
    ]);
    const pools = networks.list().map(({ id, name }) => ({ network: name, subnets: networks.subnetUse(id) }));
    return formatFamilies([
      ...activity.families(),
      ...(containers ?? engineFamilies(facts, engineCounters(), undefined)),
      ...(conntrack ?? []),
      ...(peers ?? []),
      ...poolFamilies(pools),
    ]);
  }

  async #readContainers(): Promise<Family[]> {
    const { listContainers, engineCounters, cgroupParent, clock, facts } = this.#sources;
    const cgroupOf = ({ id, config }: ListedContainer['record']): string =>
      `${config.cgroupParent || cgroupParent}/${id}`;
    const all = await listContainers();
    const running = all.filter(({ record }) => record.state.status === 'running' || record.state.status === 'paused');
    const states = running.flatMap(({ record, network }): [string, SandboxState][] =>
      network ? [[record.id, network]] : [],
    );
    const [usage, interfaces] = await Promise.all([
      this.#usage.readAll(
        running.map(({ record }) => cgroupOf(record)),
        USAGE_LIMIT_MS,
      ),
      this.#part('interfaces', () => this.#interfaces.read(new Map(states))),
    ]);
    const readings = running.map(({ record }) => {
      const { id, name, config, state } = record;
      const cgroup = cgroupOf(record);
      const used = usage.get(cgroup);
      return {
        ...{ cgroup, name, image: config.image, startedAt: state.startedAt },
        ...(used ? { usage: used } : {}),
        interfaces: interfaces?.get(id) ?? new Map(),
      };
    });
    const statuses = all.map(({ record }) => record.state.status);
    return [...engineFamilies(facts, engineCounters(), statuses), ...containerFamilies(readings, clock.now())];
  }

  /** Undefined where the kernel tracks no connections. */
  async #readConntrack(): Promise<Conntrack | undefined> {
    const read = async (key: string): Promise<number> =>
      Number(await this.#sources.kernel.readSysctl(`net.netfilter.nf_conntrack_${key}`));
    try {
      return { entries: await read('count'), limit: await read('max') };
    } catch {
      return undefined; // the module is loaded with the first rule that needs it
    }
  }

  async #part<T>(name: string, read: () => Promise<T>): Promise<T | undefined> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new Error('timed out')), PART_LIMIT_MS);
    try {
      const value = await Promise.race([read(), late]);
      this.#failures.delete(name);
      return value;
    } catch (error) {
      const reason = messageOf(error);
      if (this.#failures.get(name) !== reason)
        this.#sources.logger.warn('a part of the metrics could not be read', { part: name, error: reason });
      this.#failures.set(name, reason);
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }
}
