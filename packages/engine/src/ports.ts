/**
 * The engine's ports: a runtime (containerd), image content and file systems, a registry, stores. The packages
 * `runtime` and `store` implement them; tests may pass recording fakes.
 */
import type { ContainerRecord, DeviceLimit, ImageConfig, ImageLayer, ImageRecord, VolumeRecord } from './model.ts';

// ---------------------------------------------------------------- runtime: tasks

export interface TaskMount {
  type: 'bind' | 'tmpfs' | 'proc' | 'sysfs' | 'devpts' | 'mqueue' | 'cgroup';
  source: string;
  target: string;
  options: string[];
}

export interface TaskDevice {
  pathOnHost: string;
  pathInContainer: string;
  permissions: string;
}

/** A container as the runtime sees it; `runtime` builds the OCI spec from it (pure `planSpec`). */
export interface TaskSpec {
  id: string;
  /** Mounted root file system (see RootFilesystems). */
  rootPath: string;
  readOnlyRoot: boolean;
  args: string[];
  env: string[];
  workingDirectory: string;
  /** `user[:group]` as given; resolved with the container's own /etc/passwd and /etc/group. */
  user: string;
  groupAdd: string[];
  tty: boolean;
  consoleSize?: [number, number];
  hostname: string;
  domainname: string;
  /** In addition to Docker's default mounts (proc, dev, devpts, sysfs, cgroup, mqueue, shm). */
  mounts: TaskMount[];
  shmSize: number;
  /** Path of the network namespace to join; undefined: the host's own. */
  netnsPath: string | undefined;
  pidNamespace: 'private' | 'host' | { path: string };
  ipcNamespace: 'private' | 'host' | { path: string };
  utsNamespace: 'private' | 'host';
  cgroupNamespace: 'private' | 'host';
  init: boolean;
  privileged: boolean;
  capAdd: string[];
  capDrop: string[];
  noNewPrivileges: boolean;
  /** undefined: Netyard's default profile; 'unconfined'; or the profile's JSON. */
  seccomp: string | undefined;
  devices: TaskDevice[];
  /** `c 1:3 rwm`: what the device cgroup allows besides. */
  deviceRules?: readonly string[];
  /** AppArmor's; undefined: none. */
  apparmorProfile?: string;
  sysctls: Record<string, string>;
  ulimits: { name: string; soft: number; hard: number }[];
  oomScoreAdj: number;
  resources: TaskResources;
  /** cgroup path, such as `/netyard/<id>`. */
  cgroupPath: string;
  maskedPaths?: string[];
  readonlyPaths?: string[];
  annotations: Record<string, string>;
  labels: Record<string, string>;
  /** crun | runc | path; '' = the daemon's default. */
  runtimeName: string;
  stdio: TaskStdio;
}

export interface TaskResources {
  memory?: number;
  memoryReservation?: number;
  memorySwap?: number;
  cpuShares?: number;
  cpuPeriod?: number;
  cpuQuota?: number;
  cpusetCpus?: string;
  cpusetMems?: string;
  pidsLimit?: number;
  blkioWeight?: number;
  oomKillDisable?: boolean;
  cpuRealtimePeriod?: number;
  cpuRealtimeRuntime?: number;
  swappiness?: number;
  weightDevices?: readonly DeviceLimit[];
  readBytesPerSecond?: readonly DeviceLimit[];
  writeBytesPerSecond?: readonly DeviceLimit[];
  readsPerSecond?: readonly DeviceLimit[];
  writesPerSecond?: readonly DeviceLimit[];
}

/** Paths that the shim opens: plain files (appended to) or FIFOs; '' = none. With a tty only stdin and stdout. */
export interface TaskStdio {
  stdin: string;
  stdout: string;
  stderr: string;
}

export interface ExitStatus {
  exitCode: number;
  /** Nanoseconds since 1970. */
  exitedAt: bigint;
}

export type TaskStatus = 'created' | 'running' | 'paused' | 'stopped';

export interface TaskInfo {
  id: string;
  status: TaskStatus;
  pid: number;
  exit?: ExitStatus;
  stdio: TaskStdio;
}

export interface ExecSpec {
  execId: string;
  args: string[];
  env: string[];
  workingDirectory: string;
  user: string;
  tty: boolean;
  consoleSize?: [number, number];
  privileged: boolean;
  stdio: TaskStdio;
}

export type RuntimeEvent =
  | { type: 'exit'; id: string; execId?: string; pid: number; exit: ExitStatus }
  | { type: 'oom'; id: string }
  /** The event stream of containerd was interrupted and restored: compare with `list()`. */
  | { type: 'resync' };

/** cgroup counters; bytes and nanoseconds. */
export interface TaskMetrics {
  pids: number;
  pidsLimit: number;
  memoryUsage: number;
  memoryLimit: number;
  memoryMax: number;
  memoryStats: Record<string, number>;
  cpuTotal: number;
  cpuUser: number;
  cpuSystem: number;
  perCpu: number[];
  throttling: { periods: number; throttledPeriods: number; throttledTime: number };
  io: { major: number; minor: number; op: string; value: number }[];
}

/**
 * Errors: `not-found` (no such task), `conflict` (not running), `invalid` with `hint` and a message that begins like
 * Docker's for a bad command: `exec: "x": executable file not found in $PATH` / `permission denied`, so that the engine
 * can answer 127 or 126.
 */
export interface Runtime {
  version(): Promise<{
    containerd: string;
    runtimes: Record<string, { path: string; version: string }>;
    defaultRuntime: string;
  }>;
  /** The name of the runtime for a container; '' is the default one. Throws `invalid`. */
  resolveRuntime(name: string): string;
  /**
   * Starts the slow part that needs only the id. `create` must follow, or `delete`. Never fails.
   * @param held FIFOs to hold open for reading until `delete`, if the runtime can: their content outlives the writer
   */
  prepare(id: string, held?: readonly string[]): void;
  /** Ids that were prepared and not deleted, with or without a task: for clean-up after a crash. */
  prepared(): string[];
  /** Creates container and task; the process is created but does not run yet. Returns its pid. */
  create(spec: TaskSpec): Promise<{ pid: number }>;
  start(id: string): Promise<void>;
  /** `pid`: of the container's main process, when the caller knows that it runs: saves a query to the runtime. */
  kill(id: string, signal: number, options?: { execId?: string; all?: boolean; pid?: number }): Promise<void>;
  pause(id: string): Promise<void>;
  resume(id: string): Promise<void>;
  update(id: string, resources: TaskResources): Promise<void>;
  resize(id: string, rows: number, columns: number, execId?: string): Promise<void>;
  /** Closes the container's stdin. */
  closeStdin(id: string, execId?: string): Promise<void>;
  /** Deletes task and container, killing what still runs; no error when they do not exist. */
  delete(id: string): Promise<ExitStatus | undefined>;
  exec(id: string, spec: ExecSpec): Promise<{ pid: number }>;
  deleteExec(id: string, execId: string): Promise<ExitStatus | undefined>;
  pids(id: string): Promise<number[]>;
  metrics(id: string): Promise<TaskMetrics>;
  get(id: string): Promise<TaskInfo | undefined>;
  list(): Promise<TaskInfo[]>;
  /** Delivered in order; an exit is reported once per process and connection. Returns how to stop. */
  events(listener: (event: RuntimeEvent) => void): () => void;
  close(): Promise<void>;
}

// ---------------------------------------------------------------- files of containers

export interface RootFolders {
  lower: string[];
  upper: string;
  work: string;
  merged: string;
}

/** Overlay root file systems below the data root, and safe access to what is inside them. */
export interface RootFilesystems {
  /**
   * Creates the container's own directories (upper, work) and, with init files, mount points for /etc/hosts and the
   * like.
   */
  create(containerId: string, layers: readonly string[]): Promise<void>;
  /** Mounts it (once) and returns the path of the merged view. */
  mount(containerId: string, layers: readonly string[]): Promise<string>;
  unmount(containerId: string): Promise<void>;
  /** Removes the directories; unmounts first. */
  remove(containerId: string): Promise<void>;
  /** Runs with the merged view mounted, also for a stopped container. */
  withMounted<T>(containerId: string, layers: readonly string[], work: (root: string) => Promise<T>): Promise<T>;
  /** The same for a stopped container, with its mounts in place; shows the files as the container would see them. */
  withMounts<T>(
    containerId: string,
    layers: readonly string[],
    view: { mounts: readonly ViewMount[]; readOnlyRoot: boolean },
    work: (root: string) => Promise<T>,
  ): Promise<T>;
  /** `docker diff`: the container's changes against its image. */
  changes(
    containerId: string,
    layers: readonly string[],
  ): Promise<{ path: string; kind: 'modified' | 'added' | 'deleted' }[]>;
  /** Bytes in the writable layer / in all of it. */
  size(containerId: string, layers: readonly string[]): Promise<{ writable: number; total: number }>;
  /** Container ids that have directories: for clean-up after a crash. */
  list(): Promise<string[]>;
  /** A container's directories, uppermost layer first, for `docker inspect`. */
  folders?(containerId: string, layers: readonly string[]): RootFolders;

  /** Resolved inside `root` by the kernel (openat2 RESOLVE_IN_ROOT): a link cannot lead out. */
  statInRoot(root: string, path: string): Promise<PathStat | undefined>;
  /** A tar stream of the file or directory, its own name first, as in GET /containers/x/archive. */
  readArchive(root: string, path: string): Promise<{ stat: PathStat; stream: NodeJS.ReadableStream }>;
  /**
   * Unpacks a tar into an existing directory.
   * @param options.owner `user[:group]`, resolved with the root's own files: owns all entries, whatever the archive
   * says
   */
  writeArchive(
    root: string,
    path: string,
    stream: NodeJS.ReadableStream,
    options: { noOverwriteDirNonDir: boolean; owner?: string | undefined },
  ): Promise<void>;
  /**
   * Creates a directory and its missing parents, owned by root. Creates nothing below a dangling link; throws with
   * Docker's message when a file is in the way.
   */
  makeFolder(root: string, path: string): Promise<void>;
  /** The whole tree, for export and commit. */
  exportTree(root: string): Promise<NodeJS.ReadableStream>;
  /** Copies the image's files at the mount point to a new volume. */
  copyTree(root: string, path: string, destination: string): Promise<void>;
}

/** A volume, bind mount or network file of a stopped container. */
export interface ViewMount {
  source: string;
  /** Absolute, inside the container. */
  target: string;
  readOnly: boolean;
}

export interface PathStat {
  name: string;
  size: number;
  /** Go's os.FileMode bits, as in the X-Docker-Container-Path-Stat header. */
  mode: number;
  modified: bigint;
  linkTarget: string;
}

// ---------------------------------------------------------------- image content

export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
}

/** Blobs by digest and unpacked layers by chain id. A failure leaves nothing half-written. */
export interface ImageContent {
  has(digest: string): Promise<boolean>;
  /** Writes and verifies; throws `invalid` when the digest differs. Returns the descriptor. */
  write(
    expected: { digest?: string; size?: number; mediaType: string },
    stream: AsyncIterable<Uint8Array>,
  ): Promise<Descriptor>;
  read(digest: string): AsyncIterable<Uint8Array>;
  readAll(digest: string, limit: number): Promise<Uint8Array>;
  remove(digest: string): Promise<void>;
  listBlobs(): Promise<Descriptor[]>;
  /**
   * Unpacks a layer (tar, gzip or zstd) onto its parent; no-op when the chain id exists. Returns the computed diff id.
   */
  unpack(layer: Descriptor, parents: readonly string[], chainId: string): Promise<{ diffId: string }>;
  hasLayer(chainId: string): Promise<boolean>;
  removeLayer(chainId: string): Promise<void>;
  listLayers(): Promise<string[]>;
  layerSize(chainId: string): Promise<number>;
}

export interface RegistryCredentials {
  username?: string;
  password?: string;
  identityToken?: string;
  serverAddress?: string;
}

export interface RegistryReference {
  /** Host and optional port. */
  domain: string;
  path: string;
  /** Tag or digest. */
  reference: string;
}

/**
 * A v2 registry (distribution-spec). Errors start with the registry's own code as text, as Docker shows it: `not-found`
 * (`manifest unknown: …`, `name unknown: …`), `unauthorized`, `forbidden` (`denied: …`), `unavailable` (no connection:
 * `Get "https://…": dial tcp …`).
 */
export interface Registry {
  /** Manifest or index by tag or digest; a digest is verified. */
  resolve(
    ref: RegistryReference,
    credentials: RegistryCredentials,
    signal?: AbortSignal,
  ): Promise<Descriptor & { body: Uint8Array }>;
  /** The same, for a manifest of an index. */
  fetchManifest(
    ref: RegistryReference,
    credentials: RegistryCredentials,
    signal?: AbortSignal,
  ): Promise<Descriptor & { body: Uint8Array }>;
  /** Not verified; resumes when the connection breaks. */
  fetchBlob(
    ref: RegistryReference,
    digest: string,
    credentials: RegistryCredentials,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;
  hasBlob(
    ref: RegistryReference,
    digest: string,
    credentials: RegistryCredentials,
    signal?: AbortSignal,
  ): Promise<boolean>;
  pushBlob(
    ref: RegistryReference,
    blob: Descriptor,
    body: AsyncIterable<Uint8Array>,
    credentials: RegistryCredentials,
    signal?: AbortSignal,
  ): Promise<void>;
  pushManifest(
    ref: RegistryReference,
    mediaType: string,
    body: Uint8Array,
    credentials: RegistryCredentials,
    signal?: AbortSignal,
  ): Promise<{ digest: string }>;
}

// ---------------------------------------------------------------- stores (synchronous, durable)

export interface ContainerStore {
  containers(): ContainerRecord[];
  putContainer(record: ContainerRecord): void;
  /** As `putContainer`, and marks on the disk that the container is being created or removed. */
  putUnfinishedContainer(record: ContainerRecord): void;
  /** Only then may a start delete what belongs to it: an older database may list as unfinished what is complete. */
  isUnfinishedContainer(id: string): boolean;
  deleteContainer(id: string): void;
}

export interface ImageStore {
  images(): ImageRecord[];
  putImage(record: ImageRecord): void;
  deleteImage(id: string): void;
  /**
   * Digests of blobs and chain ids of layers (`blob X`, `layer X`) that are being added or removed: only these may be
   * removed at a start, when no record names them.
   */
  contentIntents(): string[];
  putContentIntent(name: string): void;
  deleteContentIntent(name: string): void;
}

export interface VolumeStore {
  volumes(): VolumeRecord[];
  putVolume(record: VolumeRecord): void;
  deleteVolume(name: string): void;
}

export type { ImageConfig, ImageLayer };
