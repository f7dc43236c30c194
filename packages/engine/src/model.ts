/**
 * The engine's data model: containers, images and volumes. camelCase, parsed, no Docker JSON: docker-api translates.
 * Sizes are bytes, times are nanoseconds since 1970 as bigint, durations name their unit.
 */
import type { EndpointConfig, ExposedPort, PortRequest } from '@netyard/network';
import type { NetworkMode } from '@netyard/sandbox';

export type ContainerStatus = 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';

export type RestartRule = { name: 'no' | 'always' | 'unless-stopped' | 'on-failure'; maximumRetryCount: number };

export type MountRequest = {
  type: 'bind' | 'volume' | 'tmpfs';
  /** bind: absolute host path; volume: name, '' for an anonymous one; tmpfs: ''. */
  source: string;
  /** Absolute path in the container. */
  target: string;
  readOnly: boolean;
  /** bind given with -v: create the directory if it is missing. With --mount a missing source is an error. */
  createSource?: boolean;
  propagation?: 'private' | 'rprivate' | 'shared' | 'rshared' | 'slave' | 'rslave';
  /** bind: without the mounts below the source. */
  nonRecursive?: boolean;
  /** bind, read-only: not the mounts below the source. */
  readOnlyNonRecursive?: boolean;
  /** bind, read-only: rejected where the kernel cannot make the mounts below the source read-only as well. */
  readOnlyForceRecursive?: boolean;
  /** An object with options of its type was given, perhaps an empty one. For inspect. */
  hasOptions?: boolean;
  /** volume: do not copy the image's files into a new volume. */
  noCopy?: boolean;
  /** volume: the part of it to mount, relative. */
  subpath?: string;
  driver?: string;
  driverOptions?: Record<string, string>;
  labels?: Record<string, string>;
  tmpfsSize?: number;
  tmpfsMode?: number;
  /** What -v has after the second colon, as given: Docker's inspect shows it. */
  mode?: string;
  /** Mount options given with --tmpfs PATH:OPTIONS. */
  options?: string[];
};

export interface Resources {
  memory: number; // 0: no limit
  memoryReservation: number;
  memorySwap: number; // -1: unlimited; 0: twice the memory
  nanoCpus: number;
  cpuShares: number;
  cpuPeriod: number;
  cpuQuota: number;
  cpusetCpus: string;
  cpusetMems: string;
  pidsLimit: number; // 0 or -1: no limit
  oomKillDisable: boolean;
  blkioWeight: number;
  // Absent in records of older versions.
  cpuRealtimePeriod?: number; // microseconds, 0: none
  cpuRealtimeRuntime?: number;
  /** 0 to 100; undefined: the kernel's default. */
  swappiness?: number;
  weightDevices?: DeviceLimit[];
  readBytesPerSecond?: DeviceLimit[];
  writeBytesPerSecond?: DeviceLimit[];
  readsPerSecond?: DeviceLimit[];
  writesPerSecond?: DeviceLimit[];
}

/** A limit for one block device of the host, given by the path of its node. */
export interface DeviceLimit {
  path: string;
  value: number;
}

export interface Ulimit {
  name: string;
  soft: number;
  hard: number;
}

export interface Healthcheck {
  /** ['NONE'] | ['CMD', …] | ['CMD-SHELL', command]; empty: the image's. */
  test: string[];
  intervalNanoseconds: number;
  timeoutNanoseconds: number;
  startPeriodNanoseconds: number;
  /** Between checks within the start period; 0 or absent: five seconds. */
  startIntervalNanoseconds?: number;
  retries: number;
}

/** The requested configuration of a container; changed only by update, rename, connect and disconnect. */
export interface ContainerConfig {
  /** As the user gave it: `nginx-web01`. */
  image: string;
  entrypoint: string[] | undefined; // undefined: the image's; []: none
  command: string[]; // [] : the image's
  env: string[];
  workingDirectory: string;
  user: string;
  hostname: string;
  domainname: string;
  labels: Record<string, string>;
  tty: boolean;
  openStdin: boolean;
  stdinOnce: boolean;
  attachStdin: boolean;
  attachStdout: boolean;
  attachStderr: boolean;
  stopSignal: string;
  stopTimeoutSeconds: number | undefined;
  /** For health checks of kind CMD-SHELL. */
  shell?: string[];
  healthcheck?: Healthcheck;
  /** Dockerfile instructions for images that `commit` makes of the container. */
  onBuild?: string[];
  volumes: string[]; // Config.Volumes: anonymous volumes by target
  exposed: ExposedPort[];
  /** Config.ExposedPorts as given, if not all have the form `80/tcp`. For inspect. */
  exposedKeys?: string[];
  macAddress: string;
  networkDisabled: boolean;
  /** terminal size at create, [rows, columns] */
  consoleSize?: [number, number];

  // Docker's HostConfig
  networkMode: NetworkMode;
  /** As given, for inspect: `default`, `bridge`, `container:<id>`. */
  networkModeText: string;
  endpoints: EndpointConfig[];
  /** At its creation; SandboxConfig has the present ones. */
  ports: PortRequest[];
  publishAll: boolean;
  links: string[];
  extraHosts: string[];
  dns: string[];
  dnsSearch: string[];
  dnsOptions: string[];
  mounts: MountRequest[];
  volumesFrom: string[];
  /** For inspect: -v as given. */
  binds: string[];
  autoRemove: boolean;
  restartPolicy: RestartRule;
  init: boolean;
  /** Lists of HostConfig that were absent where the docker command sends empty ones, or the reverse. For inspect. */
  unusualLists?: string[];
  /** `--init=false` was requested. For inspect. */
  noInit?: true;
  privileged: boolean;
  capAdd: string[];
  capDrop: string[];
  securityOptions: string[];
  readOnlyRootfs: boolean;
  devices: { pathOnHost: string; pathInContainer: string; permissions: string }[];
  /** `c 1:3 rwm`: additional rules of the device cgroup. */
  deviceRules?: string[];
  groupAdd: string[];
  resources: Resources;
  ulimits: Ulimit[];
  oomScoreAdj: number;
  shmSize: number; // 0: 64 MiB
  sysctls: Record<string, string>;
  pidMode: string; // '' | host | container:X
  ipcMode: string; // '' | private | host | none | shareable | container:X
  utsMode: string; // '' | host
  usernsMode: string;
  cgroupnsMode: string; // '' | private | host
  cgroupParent: string;
  logDriver: string; // '' | json-file | local | none
  logOptions: Record<string, string>;
  runtime: string;
  /** For inspect only: Linux has one kind of isolation. */
  isolation?: string;
  /** Of the volumes of -v and of the image. */
  volumeDriver?: string;
  /** For inspect only: the file the client wrote the id to. */
  idFile?: string;
  maskedPaths?: string[];
  readonlyPaths?: string[];
  annotations: Record<string, string>;
}

export interface ContainerState {
  status: ContainerStatus;
  pid: number;
  exitCode: number;
  error: string;
  oomKilled: boolean;
  startedAt: bigint | undefined;
  finishedAt: bigint | undefined;
  restartCount: number;
  /** Set by stop and kill, so that restart policies leave it alone. */
  stoppedByUser: boolean;
  /** Paused by `commit`, which resumes it; after a crash the next start of the daemon does. */
  pausedByCommit?: boolean;
  /** Of a container that is being created or removed: whether its anonymous volumes go with it. */
  removesVolumes?: boolean;
  health?: { status: 'starting' | 'healthy' | 'unhealthy'; failingStreak: number; log: HealthResult[] };
}

export interface HealthResult {
  start: bigint;
  end: bigint;
  exitCode: number;
  output: string;
}

/** A mount after planning. */
export interface ResolvedMount {
  type: 'bind' | 'volume' | 'tmpfs';
  name?: string;
  /** The request names the volume: it stays when the container is removed with its anonymous volumes. */
  isNamed?: true;
  source: string;
  /** Of the source: what is mounted; see volumes/subpaths.ts. */
  subpath?: string;
  target: string;
  driver?: string;
  mode: string;
  readOnly: boolean;
  propagation: string;
  /** It was not requested: private where the mount of the source has none. */
  isDefaultPropagation?: true;
  options: string[];
}

/** Path and arguments, merged from entrypoint and command of the request and the image. */
export interface ResolvedProcess {
  args: string[];
  env: string[];
  workingDirectory: string;
  user: string;
}

/** The persisted state of one container. */
export interface ContainerRecord {
  id: string;
  name: string; // without the slash
  created: bigint;
  config: ContainerConfig;
  /** Id of the image (sha256:…) and its layers at create. */
  imageId: string;
  layers: string[]; // chain ids, lowest first
  process: ResolvedProcess;
  mounts: ResolvedMount[];
  state: ContainerState;
}

export interface ExecRecord {
  id: string;
  containerId: string;
  config: ExecConfig;
  running: boolean;
  exitCode: number | undefined;
  pid: number;
}

export interface ExecConfig {
  command: string[];
  env: string[];
  user: string;
  workingDirectory: string;
  tty: boolean;
  attachStdin: boolean;
  attachStdout: boolean;
  attachStderr: boolean;
  privileged: boolean;
  detachKeys: string;
  consoleSize?: [number, number];
}

/** An image's configuration (OCI image-spec config.md), parsed. */
export interface ImageConfig {
  architecture: string;
  os: string;
  variant?: string;
  author?: string;
  created?: string;
  env: string[];
  entrypoint: string[];
  command: string[];
  workingDirectory: string;
  user: string;
  exposed: ExposedPort[];
  /** As in the image, if not all have the form `80/tcp`. For inspect. */
  exposedKeys?: string[];
  volumes: string[];
  labels: Record<string, string>;
  stopSignal: string;
  healthcheck?: Healthcheck;
  shell?: string[];
  /** Dockerfile instructions that run when an image is built from this one. */
  onBuild?: string[];
  diffIds: string[];
  history: { created?: string; createdBy?: string; author?: string; comment?: string; emptyLayer?: boolean }[];
}

/** The persisted state of one image. Its id is the digest of its config, as in Docker's classic store. */
export interface ImageRecord {
  id: string; // sha256:…
  config: ImageConfig;
  /** Descriptors in the content store. */
  configDigest: string;
  layers: ImageLayer[];
  /** name:tag references, and name@digest ones from pulls and pushes. */
  tags: string[];
  digests: string[];
  created: bigint;
  size: number;
  /** When a tag was last assigned to it. */
  lastTagged: bigint;
  /** Id of the image that it was committed from; that image may be gone. */
  parent?: string;
}

export interface ImageLayer {
  diffId: string;
  chainId: string;
  /** Compressed blob in the content store. */
  digest: string;
  mediaType: string;
  size: number;
}

export interface VolumeRecord {
  name: string;
  driver: string;
  mountpoint: string;
  created: bigint;
  labels: Record<string, string>;
  options: Record<string, string>;
  anonymous: boolean;
}

export type EngineEvent = {
  type: 'container' | 'image' | 'network' | 'volume' | 'daemon' | 'node' | 'builder';
  action: string;
  actorId: string;
  attributes: Record<string, string>;
  time: bigint;
};
