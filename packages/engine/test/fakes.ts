/**
 * Fakes for engine tests: a runtime whose processes the test speaks and ends for, root file systems as plain folders,
 * networks and images that record what they are asked. They hold state, so that a "restarted daemon" finds it again.
 */
import assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NetyardError, silentLogger, systemClock } from '@netyard/core';
import { makeFifo, openFifo, punchHole } from '@netyard/kernel';
import type {
  ContainerDirectory,
  LinkRecord,
  NetworkEvent,
  Networks,
  SandboxConfig,
  SandboxState,
} from '@netyard/network';
import { openEngine } from '../src/engine.ts';
import type {
  ContainerConfig,
  ContainerRecord,
  ContainerStore,
  Engine,
  EngineEvent,
  EngineSettings,
  ExecSpec,
  ImageRecord,
  Images,
  RootFilesystems,
  Runtime,
  RuntimeEvent,
  TaskInfo,
  TaskSpec,
  VolumeRecord,
  VolumeStore,
} from '../src/index.ts';

/** Rejects with the error; for methods that a test does not expect to be called. */
const unexpected = (what: string) => (): never => {
  throw new Error(`unexpected call of ${what}`);
};

export class FakeStore implements ContainerStore, VolumeStore {
  readonly records = new Map<string, ContainerRecord>();
  readonly volumeRecords = new Map<string, VolumeRecord>();
  containers = (): ContainerRecord[] => [...this.records.values()];
  putContainer = (record: ContainerRecord): void => void this.records.set(record.id, record);
  deleteContainer = (id: string): void => void this.records.delete(id);
  volumes = (): VolumeRecord[] => [...this.volumeRecords.values()];
  putVolume = (record: VolumeRecord): void => void this.volumeRecords.set(record.name, record);
  deleteVolume = (name: string): void => void this.volumeRecords.delete(name);
}

export class FakeRuntime implements Runtime {
  readonly calls: string[] = [];
  readonly tasks = new Map<string, TaskInfo & { spec: TaskSpec }>();
  readonly execs = new Map<string, ExecSpec>();
  /** Called instead of making the task; to fail. */
  onCreate: ((spec: TaskSpec) => void) | undefined;
  onExec: ((spec: ExecSpec) => void) | undefined;
  /** What a signal does; by default every one but 1 (HUP) ends the process with 128 + signal. */
  onKill: ((id: string, signal: number) => void) | undefined;
  #nextPid = 1000;
  #listeners = new Set<(event: RuntimeEvent) => void>();

  async version() {
    return { containerd: 'fake', runtimes: {}, defaultRuntime: 'fake' };
  }

  async create(spec: TaskSpec): Promise<{ pid: number }> {
    this.calls.push(`create ${spec.id}`);
    this.onCreate?.(spec);
    const pid = this.#nextPid++;
    if (spec.stdio.stdin !== '') openFifo(spec.stdio.stdin, 'both');
    this.tasks.set(spec.id, { id: spec.id, status: 'created', pid, stdio: spec.stdio, spec });
    return { pid };
  }

  async start(id: string): Promise<void> {
    this.#task(id).status = 'running';
  }

  async kill(id: string, signal: number, options?: { execId?: string }): Promise<void> {
    this.calls.push(`kill ${signal}`);
    this.#task(id);
    if (options?.execId !== undefined) return this.exitExec(id, options.execId, 128 + signal);
    if (this.onKill) this.onKill(id, signal);
    else if (signal !== 1) this.exit(id, 128 + signal);
  }

  async pause(id: string): Promise<void> {
    this.#task(id).status = 'paused';
  }

  async resume(id: string): Promise<void> {
    this.#task(id).status = 'running';
  }

  async update(): Promise<void> {
    this.calls.push('update');
  }

  async resize(_id: string, rows: number, columns: number): Promise<void> {
    this.calls.push(`resize ${rows}x${columns}`);
  }

  async closeStdin(): Promise<void> {
    this.calls.push('closeStdin');
  }

  async delete(id: string) {
    const task = this.tasks.get(id);
    this.tasks.delete(id);
    return task?.exit;
  }

  async exec(_id: string, spec: ExecSpec): Promise<{ pid: number }> {
    this.onExec?.(spec);
    this.execs.set(spec.execId, spec);
    return { pid: this.#nextPid++ };
  }

  async deleteExec() {
    return undefined;
  }

  async pids(id: string): Promise<number[]> {
    return [this.#task(id).pid];
  }

  metrics = unexpected('metrics');

  async get(id: string): Promise<TaskInfo | undefined> {
    return this.tasks.get(id);
  }

  async list(): Promise<TaskInfo[]> {
    return [...this.tasks.values()];
  }

  events(listener: (event: RuntimeEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {}

  /** The process writes. */
  say(id: string, text: string, stream: 'stdout' | 'stderr' = 'stdout'): void {
    appendFileSync(this.#task(id).stdio[stream], text);
  }

  /** The process ends. */
  exit(id: string, exitCode: number): void {
    const task = this.#task(id);
    const exit = { exitCode, exitedAt: systemClock.now() };
    task.status = 'stopped';
    task.exit = exit;
    this.tell({ type: 'exit', id, pid: task.pid, exit });
  }

  exitExec(id: string, execId: string, exitCode: number): void {
    this.tell({ type: 'exit', id, execId, pid: 0, exit: { exitCode, exitedAt: systemClock.now() } });
  }

  tell(event: RuntimeEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #task(id: string): TaskInfo & { spec: TaskSpec } {
    const task = this.tasks.get(id);
    if (!task) throw new NetyardError('not-found', `no such task: ${id}`);
    return task;
  }
}

/** Plain folders instead of overlays. */
export class FakeRootfs implements RootFilesystems {
  readonly root: string;
  readonly mounted = new Set<string>();
  /** Files of the image, by path: `directory` or content. */
  imageDirectories: string[] = [];

  constructor(root: string) {
    this.root = root;
  }

  async create(id: string): Promise<void> {
    mkdirSync(join(this.root, id), { recursive: true });
    for (const path of this.imageDirectories) mkdirSync(join(this.root, id, path), { recursive: true });
  }

  async mount(id: string): Promise<string> {
    this.mounted.add(id);
    return join(this.root, id);
  }

  async unmount(id: string): Promise<void> {
    this.mounted.delete(id);
  }

  async remove(id: string): Promise<void> {
    this.mounted.delete(id);
    rmSync(join(this.root, id), { recursive: true, force: true });
  }

  async withMounted<T>(id: string, _layers: readonly string[], work: (root: string) => Promise<T>): Promise<T> {
    return work(join(this.root, id));
  }

  changes = unexpected('changes');

  async size() {
    return { writable: 0, total: 0 };
  }

  async list(): Promise<string[]> {
    return existsSync(this.root) ? readdirSync(this.root) : [];
  }

  async statInRoot(root: string, path: string) {
    const found = statSync(join(root, path), { throwIfNoEntry: false });
    if (!found) return undefined;
    const mode = (found.mode & 0o777) + (found.isDirectory() ? 0x80000000 : 0);
    return { name: path, size: found.size, mode, modified: 0n, linkTarget: '' };
  }

  readArchive = unexpected('readArchive');
  writeArchive = unexpected('writeArchive');
  exportTree = unexpected('exportTree');

  async copyTree(_root: string, path: string, destination: string): Promise<void> {
    appendFileSync(join(destination, 'copied'), path);
  }
}

export class FakeNetworks {
  readonly calls: string[] = [];
  readonly configs = new Map<string, SandboxConfig>();
  readonly states = new Map<string, SandboxState>();
  linkRecords: LinkRecord[] = [];
  onPrepare: (() => void) | undefined;
  onCheckLinks: (() => void) | undefined;

  build(containers: ContainerDirectory): Networks {
    const { calls, configs, states } = this;
    const used = {
      containers,
      start: async (running: readonly string[]) => void calls.push(`start ${running.length}`),
      list: () => [],
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
      release: async (id: string) => void states.delete(id),
      unregister: async (id: string) => {
        states.delete(id);
        configs.delete(id);
      },
      rename: async (id: string, name: string) => void calls.push(`rename ${id} ${name}`),
      state: (id: string) => states.get(id),
      config: (id: string) => configs.get(id),
      links: (id: string) => this.linkRecords.filter((link) => link.parentId === id),
      linksTo: (id: string) => this.linkRecords.filter((link) => link.childId === id),
      findLink: () => undefined,
      removeLink: async (name: string) => void calls.push(`removeLink ${name}`),
      checkLinks: () => this.onCheckLinks?.(),
      linkEnvironment: () => [],
      events: (_listener: (event: NetworkEvent) => void) => () => undefined,
      cleanup: async () => [],
    };
    return used as unknown as Networks;
  }
}

export function fakeImage(change: Partial<ImageRecord['config']> = {}): ImageRecord {
  return {
    id: `sha256:${'a'.repeat(64)}`,
    config: {
      architecture: 'amd64',
      os: 'linux',
      env: ['PATH=/bin', 'FROM=image'],
      entrypoint: [],
      command: ['nginx'],
      workingDirectory: '',
      user: '',
      exposed: [{ protocol: 'tcp', port: 80 }],
      volumes: [],
      labels: { of: 'image' },
      stopSignal: '',
      diffIds: [],
      history: [],
      ...change,
    },
    configDigest: `sha256:${'a'.repeat(64)}`,
    layers: [],
    tags: ['nginx-web01:latest'],
    digests: [],
    created: 0n,
    size: 0,
    lastTagged: 0n,
  };
}

export function fakeImages(image: ImageRecord): Images {
  const service: Partial<Images> = {
    async use(ref, work) {
      return work(await fakeImages(image).get(ref));
    },
    async collectGarbage() {},
    async get(ref) {
      if ([image.id, ...image.tags, ...image.tags.map((tag) => tag.split(':')[0])].includes(ref)) return image;
      throw new NetyardError('not-found', `No such image: ${ref}:latest`);
    },
    async list() {
      return [{ record: image, containers: 0 }];
    },
  };
  return service as Images;
}

export interface World {
  directory: string;
  store: FakeStore;
  runtime: FakeRuntime;
  rootfs: FakeRootfs;
  networks: FakeNetworks;
  settings: EngineSettings;
  events: EngineEvent[];
  engine: Engine;
  image: ImageRecord;
  /** The daemon is killed and comes back: a new engine on what is left. */
  restart(): Promise<void>;
  run(change?: Partial<ContainerConfig>, name?: string): Promise<string>;
  state(id: string): ContainerRecord['state'];
  close(): Promise<void>;
}

export async function openWorld(image = fakeImage()): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), 'netyard-engine-'));
  const settings: EngineSettings = {
    dataRoot: join(directory, 'data'),
    execRoot: join(directory, 'exec'),
    cgroupParent: '/netyard',
    cgroupVersion: '1',
    logDriver: 'json-file',
    logOptions: {},
    stopTimeoutSeconds: 10,
    shmSize: 64 * 1024 * 1024,
    storageDriver: 'overlay2',
  };
  const parts = {
    store: new FakeStore(),
    runtime: new FakeRuntime(),
    rootfs: new FakeRootfs(join(directory, 'rootfs')),
    networks: new FakeNetworks(),
  };
  const abandoned: Engine[] = [];
  const events: EngineEvent[] = [];
  const open = (): Engine => {
    const engine = openEngine({
      ...parts,
      settings,
      networks: (containers) => parts.networks.build(containers),
      images: () => fakeImages(image),
      files: { makeFifo, openFifo, punchHole },
      linkStatistics: unexpected('linkStatistics'),
      logger: silentLogger,
      clock: systemClock,
    });
    abandoned.push(engine);
    void listen(engine, events);
    return engine;
  };
  const world: World = {
    directory,
    settings,
    events,
    image,
    ...parts,
    engine: open(),
    async restart() {
      await world.engine.stop({ stopContainers: false });
      world.engine = open();
      await world.engine.start();
    },
    async run(change = {}, name) {
      const { id } = await world.engine.containers.create({ name, config: configOf(change) });
      await world.engine.containers.start(id);
      return id;
    },
    state(id) {
      const record = parts.store.records.get(id);
      assert.ok(record);
      return record.state;
    },
    async close() {
      for (const engine of abandoned) await engine.stop({ stopContainers: false });
      rmSync(directory, { recursive: true, force: true });
    },
  };
  await world.engine.start();
  return world;
}

async function listen(engine: Engine, events: EngineEvent[]): Promise<void> {
  const { signal } = new AbortController();
  const filters = new Map<string, string[]>();
  for await (const event of engine.events.subscribe({ since: undefined, until: undefined, filters, signal }))
    events.push(event);
}

export function configOf(change: Partial<ContainerConfig> = {}): ContainerConfig {
  return {
    image: 'nginx-web01',
    entrypoint: undefined,
    command: [],
    env: [],
    workingDirectory: '',
    user: '',
    hostname: '',
    domainname: '',
    labels: {},
    tty: false,
    openStdin: false,
    stdinOnce: false,
    attachStdin: false,
    attachStdout: true,
    attachStderr: true,
    stopSignal: '',
    stopTimeoutSeconds: undefined,
    volumes: [],
    exposed: [],
    macAddress: '',
    networkDisabled: false,
    networkMode: { kind: 'default' },
    networkModeText: 'default',
    endpoints: [],
    ports: [],
    publishAll: false,
    links: [],
    extraHosts: [],
    dns: [],
    dnsSearch: [],
    dnsOptions: [],
    mounts: [],
    volumesFrom: [],
    binds: [],
    autoRemove: false,
    restartPolicy: { name: 'no', maximumRetryCount: 0 },
    init: false,
    privileged: false,
    capAdd: [],
    capDrop: [],
    securityOptions: [],
    readOnlyRootfs: false,
    devices: [],
    groupAdd: [],
    resources: {
      memory: 0,
      memoryReservation: 0,
      memorySwap: 0,
      nanoCpus: 0,
      cpuShares: 0,
      cpuPeriod: 0,
      cpuQuota: 0,
      cpusetCpus: '',
      cpusetMems: '',
      pidsLimit: 0,
      oomKillDisable: false,
      blkioWeight: 0,
    },
    ulimits: [],
    oomScoreAdj: 0,
    shmSize: 0,
    sysctls: {},
    pidMode: '',
    ipcMode: '',
    utsMode: '',
    usernsMode: '',
    cgroupnsMode: '',
    cgroupParent: '',
    logDriver: '',
    logOptions: {},
    runtime: '',
    annotations: {},
    ...change,
  };
}

/** Waits for something that comes by itself; the test runner's timeout is the limit. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

export async function text(output: AsyncIterable<{ data: Uint8Array }>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const { data } of output) chunks.push(data);
  return Buffer.concat(chunks).toString();
}
