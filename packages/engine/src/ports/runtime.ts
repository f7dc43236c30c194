/** The runtime (containerd): containers as tasks, their processes, resources and events. */
import type { DeviceLimit } from '../model.ts';

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
  /** `none`: private, without /dev/shm. */
  ipcNamespace: 'private' | 'host' | 'none' | { path: string };
  utsNamespace: 'private' | 'host';
  cgroupNamespace: 'private' | 'host';
  init: boolean;
  privileged: boolean;
  capAdd: string[];
  capDrop: string[];
  noNewPrivileges: boolean;
  /** undefined: Netyard's default profile. */
  seccomp: SeccompProfile | 'unconfined' | undefined;
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

/** A user's seccomp profile, as in the OCI runtime specification, with conditions that are not resolved yet. */
export interface SeccompProfile {
  defaultAction: string;
  defaultErrnoRet?: number | undefined;
  architectures: readonly string[];
  /** Instead of `architectures`: other architectures by the machine's own. */
  archMap: readonly { architecture: string; subArchitectures: readonly string[] }[];
  flags: readonly string[];
  listenerPath: string;
  listenerMetadata: string;
  syscalls: readonly SeccompProfileRule[];
}

export interface SeccompProfileRule {
  names: readonly string[];
  action: string;
  errnoRet?: number | undefined;
  args: readonly { index: number; value: number; valueTwo: number; op: string }[];
  includes?: SeccompCondition | null | undefined;
  excludes?: SeccompCondition | null | undefined;
}

export interface SeccompCondition {
  caps: readonly string[];
  /** By Go's names. */
  arches: readonly string[];
  /** `4.8`; empty: any. */
  minKernel: string;
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
  /** Process id of the container's main process. */
  containerPid: number;
  args: string[];
  env: string[];
  workingDirectory: string;
  user: string;
  /** Of the container: names or ids. */
  groupAdd: string[];
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
