/**
 * The engine's public API, which docker-api uses: Docker's objects and operations on plain values, without HTTP.
 *
 * `ref` is a name (with or without a leading slash, also `parent/alias`), an id or an unambiguous id prefix; otherwise
 * `not-found` with Docker's message (`No such container: X`, `No such image: X:latest`).
 */
import type { Readable, Writable } from 'node:stream';
import type { KernelOperation } from '@netyard/kernel';
import type { EndpointConfig, NetworkRecord, PortRequest } from '@netyard/network';
import type { AddedPorts, SandboxState } from '@netyard/sandbox';
import type {
  ContainerConfig,
  ContainerRecord,
  EngineEvent,
  ExecConfig,
  ExecRecord,
  ImageRecord,
  MountRequest,
  Resources,
  RestartRule,
  VolumeRecord,
} from './model.ts';
import type { BuildLimits, PathStat, RegistryCredentials, TaskMetrics } from './ports.ts';

export type Filters = ReadonlyMap<string, readonly string[]>;

export interface OutputChunk {
  stream: 'stdout' | 'stderr';
  /** Valid until the next chunk is requested: its memory is used again. */
  data: Uint8Array;
}

export interface LogOptions {
  stdout: boolean;
  stderr: boolean;
  follow: boolean;
  since: bigint | undefined;
  until: bigint | undefined;
  /** Last lines; undefined: all. */
  tail: number | undefined;
  /** Prefix of each entry: its time, and the labels and variables requested with --log-opt. */
  timestamps: boolean;
  details: boolean;
  signal: AbortSignal;
}

export interface AttachOptions {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  /** Replay the log first. */
  logs: boolean;
  /** Live output. */
  stream: boolean;
  detachKeys: string | undefined;
  signal: AbortSignal;
}

/** A live connection to a process. Output ends with the process's output or on detach. */
export interface Attachment {
  tty: boolean;
  output: AsyncIterable<OutputChunk>;
  /**
   * Ending it half-closes the process's stdin. Detach keys are detected here. A write is complete when its bytes are no
   * longer needed: the caller may free them then.
   */
  stdin: Writable | undefined;
  /** Resolves when the detach keys were typed. */
  detached: Promise<void>;
}

export interface ContainerSummary {
  record: ContainerRecord;
  /** First its own name, then `parent/alias` of links to it; with leading slashes. */
  names: string[];
  /** `docker ps` STATUS: `Up 5 minutes`, `Exited (0) 2 hours ago`. */
  statusText: string;
  network: SandboxState | undefined;
  /** The networks that it is or will be connected to; `networkId` is '' for a network that does not exist. */
  endpoints: { networkId: string; config: EndpointConfig }[];
  /** The ports that it publishes while it runs, as requested. */
  ports: readonly PortRequest[];
  sizes?: { writable: number; total: number };
}

export interface ContainerDetails extends ContainerSummary {
  /** `/child:/parent/alias` */
  linkTexts: string[];
  logPath: string;
  hostnamePath: string;
  hostsPath: string;
  resolvConfPath: string;
  execIds: string[];
  overlay: { lower: string[]; upper: string; work: string; merged: string };
}

export interface ContainerService {
  create(request: {
    name: string | undefined;
    config: ContainerConfig;
    platform?: string;
  }): Promise<{ id: string; warnings: string[] }>;
  /** Throws `not-modified` when it is already running. */
  start(ref: string, options?: { detachKeys?: string }): Promise<void>;
  stop(ref: string, options: { timeoutSeconds?: number; signal?: string }): Promise<void>;
  /** What stop and remove would change in the network; throws what they would throw, and changes nothing. */
  planStop(ref: string, options: { signal?: string }): Promise<KernelOperation[]>;
  planRemove(ref: string, options: { force: boolean; link: boolean }): Promise<KernelOperation[]>;
  restart(ref: string, options: { timeoutSeconds?: number; signal?: string }): Promise<void>;
  kill(ref: string, signal: string): Promise<void>;
  /** Publishes further ports, at once if it runs, and at each start. */
  addPorts(ref: string, ports: readonly PortRequest[]): Promise<AddedPorts>;
  removePorts(ref: string, ports: readonly PortRequest[]): Promise<void>;
  pause(ref: string): Promise<void>;
  unpause(ref: string): Promise<void>;
  rename(ref: string, name: string): Promise<void>;
  remove(ref: string, options: { force: boolean; volumes: boolean; link: boolean }): Promise<void>;
  /** Returns once it is waiting; `done` resolves at the exit, and `removed` also when the container was removed. */
  wait(
    ref: string,
    condition: 'not-running' | 'next-exit' | 'removed',
    signal: AbortSignal,
  ): Promise<{ done: Promise<{ exitCode: number; error?: string }> }>;
  list(options: { all: boolean; limit: number; size: boolean; filters: Filters }): Promise<ContainerSummary[]>;
  inspect(ref: string, options: { size: boolean }): Promise<ContainerDetails>;
  /** Whole entries, several per chunk; without a terminal each with its frame header (stdcopy.ts). */
  logs(ref: string, options: LogOptions): Promise<{ tty: boolean; output: AsyncIterable<Uint8Array> }>;
  attach(ref: string, options: AttachOptions): Promise<Attachment>;
  resize(ref: string, rows: number, columns: number): Promise<void>;
  top(ref: string, psArguments: string): Promise<{ titles: string[]; processes: string[][] }>;
  stats(ref: string): Promise<ContainerStats>;
  changes(ref: string): Promise<{ path: string; kind: 'modified' | 'added' | 'deleted' }[]>;
  statPath(ref: string, path: string): Promise<PathStat>;
  readArchive(ref: string, path: string): Promise<{ stat: PathStat; stream: NodeJS.ReadableStream }>;
  writeArchive(
    ref: string,
    path: string,
    stream: Readable,
    options: { noOverwriteDirNonDir: boolean; copyUidGid: boolean },
  ): Promise<void>;
  export(ref: string): Promise<NodeJS.ReadableStream>;
  /** An image of the container's changes; returns its id. Commits run one after the other; `signal` ends this one. */
  commit(ref: string, options: CommitOptions, signal?: AbortSignal): Promise<string>;
  update(
    ref: string,
    change: { resources: Partial<Resources>; restartPolicy?: RestartRule },
  ): Promise<{ warnings: string[] }>;
  prune(filters: Filters): Promise<{ deleted: string[]; reclaimed: number }>;
}

export interface CommitOptions {
  /** '' for an image without a name. */
  repository: string;
  tag: string;
  comment: string;
  author: string;
  /** Pause the container's processes while its files are read. */
  pause: boolean;
  /** Dockerfile instructions that change the configuration. */
  changes: readonly string[];
  /** Replaces the container's configuration, which completes it. */
  config?: Partial<ContainerConfig>;
}

/** One sample; a rate needs two. */
export interface ContainerStats {
  id: string;
  name: string;
  read: bigint;
  metrics: TaskMetrics | undefined; // undefined: not running
  systemCpu: number;
  onlineCpus: number;
  networks: Record<
    string,
    {
      rxBytes: bigint;
      rxPackets: bigint;
      rxErrors: bigint;
      rxDropped: bigint;
      txBytes: bigint;
      txPackets: bigint;
      txErrors: bigint;
      txDropped: bigint;
    }
  >;
}

export interface ExecService {
  create(containerRef: string, config: ExecConfig): Promise<{ id: string }>;
  /**
   * Throws `not-found` without such an exec, `conflict` unless its container accepts commands: the checks before a
   * start.
   */
  checkStart(id: string): Promise<void>;
  /** Detached: returns when it runs. Attached: output and stdin. A second start throws `conflict`. */
  start(
    id: string,
    options: { detach: boolean; tty: boolean; consoleSize?: [number, number]; signal: AbortSignal },
  ): Promise<Attachment | undefined>;
  resize(id: string, rows: number, columns: number): Promise<void>;
  inspect(id: string): Promise<ExecRecord>;
}

/** A progress line of `docker pull` and `push` (jsonmessage). */
export interface Progress {
  id?: string;
  status?: string;
  current?: number;
  total?: number;
  stream?: string;
  /** { Tag, Digest, Size } after a push, { ID } after a build */
  aux?: Record<string, unknown>;
  /** The last line of a build that failed; `code`: the exit code of the command. */
  error?: { code?: number; message: string };
}

export interface BuildOptions {
  /** Names for the image. */
  tags: readonly string[];
  /** Path in the context; '' for `Dockerfile`. */
  dockerfile: string;
  /** '' for the last stage. */
  target: string;
  buildArgs: ReadonlyMap<string, string>;
  labels: Readonly<Record<string, string>>;
  /** '' or `default`, `none`, `host`, or a network. */
  networkMode: string;
  extraHosts: readonly string[];
  limits: BuildLimits;
  /** Pull base images that exist here, too. */
  pull: boolean;
  /** Report only the id, or what a failed build printed. */
  quiet: boolean;
  /** For base images that are pulled, by the registry's host. */
  credentials: (domain: string) => RegistryCredentials;
}

/** In OCI's names. */
export interface Platform {
  os: string;
  architecture: string;
  variant?: string;
}

export interface ImageService {
  list(options: {
    all: boolean;
    filters: Filters;
    digests: boolean;
  }): Promise<{ record: ImageRecord; containers: number }[]>;
  /** With a platform, throws `not-found` for an image of another one; the same for history, push and remove. */
  get(ref: string, platform?: Platform): Promise<ImageRecord>;
  history(
    ref: string,
    platform?: Platform,
  ): Promise<{ id: string; created: bigint; createdBy: string; tags: string[]; size: number; comment: string }[]>;
  /** `docker save` / `load` archives, and OCI layouts. Invalid archives throw `invalid`; nothing of them is kept. */
  load(archive: Readable, options: { quiet: boolean; platform?: Platform }): AsyncIterable<Progress>;
  save(refs: string[], options?: { platform?: Platform }): Promise<NodeJS.ReadableStream>;
  import(
    archive: Readable,
    options: { repository: string; tag: string; message: string; changes: string[]; platform?: string },
  ): AsyncIterable<Progress>;
  tag(ref: string, repository: string, tag: string): Promise<void>;
  remove(
    ref: string,
    options: { force: boolean; noPrune: boolean; platforms?: readonly Platform[] },
  ): Promise<({ untagged: string } | { deleted: string })[]>;
  prune(filters: Filters): Promise<{ deleted: ({ untagged: string } | { deleted: string })[]; reclaimed: number }>;
  /** `platform`: as `--platform` names it; '' for this machine's. */
  pull(
    image: string,
    tag: string,
    credentials: RegistryCredentials,
    signal: AbortSignal,
    options?: { platform: string },
  ): AsyncIterable<Progress>;
  push(
    image: string,
    tag: string,
    credentials: RegistryCredentials,
    signal: AbortSignal,
    options?: { platform?: Platform },
  ): AsyncIterable<Progress>;
}

export interface VolumeService {
  list(filters: Filters): Promise<VolumeRecord[]>;
  get(name: string): Promise<VolumeRecord>;
  create(request: {
    name: string;
    driver: string;
    options: Record<string, string>;
    labels: Record<string, string>;
  }): Promise<VolumeRecord>;
  remove(name: string, force: boolean): Promise<void>;
  prune(filters: Filters): Promise<{ deleted: string[]; reclaimed: number }>;
}

export interface NetworkService {
  list(filters: Filters): NetworkRecord[];
  /** `uses`: containers with an endpoint in it; `stopped`: those that get one when they start. */
  get(ref: string): {
    record: NetworkRecord;
    uses: { containerId: string; name: string; endpointId: string; mac: string; ipv4: string; ipv6: string }[];
    stopped(): { containerId: string; name: string; config: EndpointConfig }[];
  };
  connect(networkRef: string, containerRef: string, endpoint: EndpointConfig): Promise<void>;
  disconnect(networkRef: string, containerRef: string, force: boolean): Promise<void>;
  remove(ref: string): Promise<void>;
  /** Names of the removed networks. One at a time: `conflict` while another call runs. */
  prune(filters: Filters): Promise<string[]>;
}

export interface SystemInfo {
  containers: { total: number; running: number; paused: number; stopped: number };
  images: number;
  dataRoot: string;
  containerd: string;
  runtimes: Record<string, { path: string; version: string }>;
  defaultRuntime: string;
  cgroupVersion: '1' | '2';
  storageDriver: string;
  warnings: string[];
}

export interface DiskUsage {
  layersSize: number;
  images: { record: ImageRecord; containers: number; sharedSize: number }[];
  containers: ContainerSummary[];
  volumes: { record: VolumeRecord; size: number; references: number }[];
}

export interface EventStream {
  /** Past events within [since, until], then live ones until `until` or the signal. */
  subscribe(options: {
    since: bigint | undefined;
    until: bigint | undefined;
    filters: Filters;
    signal: AbortSignal;
  }): AsyncIterable<EngineEvent>;
  publish(event: Omit<EngineEvent, 'time'>): void;
}

/** Since the daemon's start, except the present number of subscribers. */
export interface EngineCounters {
  events: number;
  eventSubscribers: number;
  healthChecks: number;
  /** Those that exited with another code than 0, timed out or could not be run. */
  failedHealthChecks: number;
}

export interface Engine {
  containers: ContainerService;
  exec: ExecService;
  images: ImageService;
  volumes: VolumeService;
  networks: NetworkService;
  events: EventStream;
  /** `docker build`: throws before the first line when nothing was started. @param context a tar archive */
  build(context: Readable, options: BuildOptions, signal: AbortSignal): AsyncIterable<Progress>;
  /**
   * Called when a request arrives or is answered: for a while, output of containers that write at full speed gets less
   * CPU.
   */
  noteRequest(): void;
  counters(): EngineCounters;
  system: {
    info(): Promise<SystemInfo>;
    diskUsage(): Promise<DiskUsage>;
    /** For tests and `system cleanup`: removes leftovers that belong to no container; with `unknownData` also data. */
    cleanup(options: { dryRun: boolean; unknownData?: boolean }): Promise<string[]>;
  };
  /** Reconciles with the running containers, then applies restart policies. */
  start(): Promise<void>;
  /** `stopContainers`: as dockerd without live-restore does. */
  stop(options: { stopContainers: boolean }): Promise<void>;
}

export type { MountRequest };
