/** The engine's `Runtime` over containerd: one shim per container, events from one stream, metrics from the cgroups. */
import { join } from 'node:path';
import type { Logger } from '@netyard/core';
import { NetyardError } from '@netyard/core';
import type {
  ExecSpec,
  ExitStatus,
  Runtime,
  RuntimeEvent,
  TaskInfo,
  TaskMetrics,
  TaskResources,
  TaskSpec,
  TaskStatus,
} from '@netyard/engine';
import type { ContainerdClient } from '../containerd/client.ts';
import { type Process, Status } from '../containerd/gen/task_types_pb.ts';
import { endShims } from '../containerd/process.ts';
import { planLimits } from '../spec/limits.ts';
import { nanosecondsOf, packJson } from './any.ts';
import { Calls } from './calls.ts';
import { readCgroupMounts } from './cgroups.ts';
import { createTask } from './create-task.ts';
import { deleteTask, readSpec } from './delete-task.ts';
import { openEmptyFolder } from './empty-folder.ts';
import { explainEnded, readProcess } from './ended-process.ts';
import { deleteProcess, execInTask } from './exec-task.ts';
import { findBlockDevices } from './host-facts.ts';
import { KeyedLimit } from './keyed-limit.ts';
import { LostExits, type LostExitTimes, usualTimes } from './lost-exits.ts';
import { readMetrics, readUsage, type TaskUsage } from './metrics.ts';
import { OomKills } from './oom-kills.ts';
import { ParentCgroup } from './parent-cgroup.ts';
import { guardCrun } from './read-only-executable.ts';
import { findOciRuntimes, type OciRuntimes, pickRuntime } from './runtimes.ts';
import { SeccompCache } from './seccomp-cache.ts';
import { openShimStarter } from './shim-starter.ts';
import { signalProcess } from './signal-process.ts';
import type { TaskContext } from './task-context.ts';
import { TaskEvents } from './task-events.ts';

export interface RuntimeOptions {
  client: ContainerdClient;
  /** Waits for containerd (`ContainerdSupervisor.ready`); without it, containerd is polled. */
  ready?: (timeoutMs: number) => Promise<void>;
  /** crun, runc, an absolute path, or '' for crun if it works here, else runc. */
  runtimeName: string;
  /** Directory for the OCI runtime's state; lost at reboot. */
  runtimeRoot: string;
  /** The daemon's own parent of the containers' groups: TaskSpec.cgroupPath of most is below it. */
  cgroupParent?: string;
  /** PATH, in which runtimes and tini are looked up. */
  searchPath: string;
  /** Only with the daemon's own containerd, whose mounts and files belong to it: shims and crun start faster then. */
  own?: OwnFolders;
  /** When exits that containerd does not report are looked for. */
  lostExits?: LostExitTimes;
  logger: Logger;
}

export interface OwnFolders {
  /** Absolute; survives a reboot. Must allow execution of programs. */
  programs: string;
  /** Absolute; lost at reboot. For a mount. */
  mounts: string;
}

/** What the daemon reads beside the engine. */
export interface UsageReader {
  /** By `TaskSpec.cgroupPath`: reads three files and does not ask containerd. Throws `not-found` without the cgroup. */
  usage(cgroupPath: string): Promise<TaskUsage>;
}

/** Resolves when events arrive, so that nothing is missed between a later `list()` and the listening. */
export async function openRuntime(options: RuntimeOptions): Promise<Runtime & UsageReader> {
  const { client, runtimeName, runtimeRoot, searchPath, logger } = options;
  const found = await findOciRuntimes(runtimeName, searchPath);
  const calls = new Calls(client, options.ready);
  await calls.ready();
  const cgroups = readCgroupMounts();
  const oomKills = new OomKills(cgroups);
  const complete = (event: RuntimeEvent): RuntimeEvent[] => oomKills.complete(event);
  const events = new TaskEvents({ client, ready: () => calls.ready(), complete, logger });
  await events.established();
  const { runtimes, shims, emptyFolder, remove } = await openOwn(options, found);
  const filters = new SeccompCache(logger);
  const parentCgroup = new ParentCgroup(cgroups, options.cgroupParent);
  const shared = { calls, events, oomKills, runtimes, cgroups, parentCgroup, filters, shims, emptyFolder };
  const context = { ...shared, runtimeRoot, searchPath, logger };
  return new ContainerdRuntime(context, events, openLostExits(options, calls, events), remove);
}

function openLostExits({ client, logger, lostExits }: RuntimeOptions, calls: Calls, events: TaskEvents): LostExits {
  const opened = new LostExits({
    times: lostExits ?? usualTimes,
    report: (id, execId = '') => readProcess(calls, id, execId),
    killShim: (id) => endShims(id, client.socket),
    emit: (event) => events.deliver(event),
    logger,
  });
  events.listen((event) => opened.note(event));
  return opened;
}

/** Optimizations that only work with the daemon's own containerd. */
async function openOwn(options: RuntimeOptions, found: OciRuntimes) {
  const { client, own, runtimeRoot, searchPath, logger } = options;
  if (!own) return { runtimes: found, shims: undefined, emptyFolder: undefined, remove: () => undefined };
  const { runtimes, env, remove } = guardCrun(found, own.mounts, logger);
  const { socket, namespace } = client;
  const { programs } = own;
  const shims = await openShimStarter({ socket, namespace, programs, runtimeRoot, searchPath, env, logger });
  return { runtimes, shims, emptyFolder: openEmptyFolder(join(own.mounts, 'masked/empty'), logger), remove };
}

class ContainerdRuntime implements Runtime, UsageReader {
  /**
   * The shim of containerd 1.6 blocks for ever when more than 32 of a container's processes end while it starts one;
   * each start involves up to three that end.
   */
  readonly #execStarts = new KeyedLimit(8);
  readonly #context: TaskContext;
  readonly #events: TaskEvents;
  readonly #lostExits: LostExits;
  readonly #removeMounts: () => void;

  constructor(context: TaskContext, events: TaskEvents, lostExits: LostExits, removeMounts: () => void) {
    this.#context = context;
    this.#events = events;
    this.#lostExits = lostExits;
    this.#removeMounts = removeMounts;
  }

  get #calls(): Calls {
    return this.#context.calls;
  }

  async version(): ReturnType<Runtime['version']> {
    const { available, default: chosen } = this.#context.runtimes;
    const { client } = this.#calls;
    const { version } = await this.#calls.repeatable('ask for its version', () => client.version.version({}));
    const runtimes = [...available].map(([name, { path, version }]) => [name, { path, version }] as const);
    return { containerd: version, runtimes: Object.fromEntries(runtimes), defaultRuntime: chosen.name };
  }

  resolveRuntime(name: string): string {
    const { name: found } = pickRuntime(this.#context.runtimes, name);
    return name === '' ? found : name;
  }

  prepare(id: string, held: readonly string[] = []): void {
    this.#context.shims?.begin(id, held);
  }

  prepared(): string[] {
    return this.#context.shims?.prepared() ?? [];
  }

  async create(spec: TaskSpec): Promise<{ pid: number }> {
    const created = await createTask(this.#context, spec);
    this.#lostExits.watch(spec.id, created.pid);
    return created;
  }

  async start(id: string): Promise<void> {
    await this.#calls.once(`start ${id}`, () => this.#calls.client.tasks.start({ containerId: id }));
  }

  async kill(
    id: string,
    signal: number,
    options: { execId?: string; all?: boolean; pid?: number } = {},
  ): Promise<void> {
    const { execId = '', all = false } = options;
    const running = execId === '' && !all ? (options.pid ?? (await this.#runningPid(id))) : undefined;
    const target = running === undefined ? undefined : { containerId: id, pid: running };
    if (target !== undefined && (await signalProcess(target, signal, this.#context.cgroups))) return;
    await this.#onProcess('signal', { id, execId }, (tasks) => tasks.kill({ containerId: id, execId, signal, all }));
  }

  async pause(id: string): Promise<void> {
    await this.#onProcess('pause', { id }, (tasks) => tasks.pause({ containerId: id }));
  }

  async resume(id: string): Promise<void> {
    await this.#onProcess('resume', { id }, (tasks) => tasks.resume({ containerId: id }));
  }

  async update(id: string, resources: TaskResources): Promise<void> {
    const planned = planLimits(resources, this.#context.cgroups, findBlockDevices(resources));
    const limits = packJson('LinuxResources', planned);
    await this.#onProcess('update', { id }, (tasks) => tasks.update({ containerId: id, resources: limits }));
  }

  async resize(id: string, rows: number, columns: number, execId = ''): Promise<void> {
    const request = { containerId: id, execId, width: columns, height: rows };
    await this.#onProcess('resize the terminal of', { id, execId }, (tasks) => tasks.resizePty(request));
  }

  /** Does nothing for a terminal: the shim would end the session instead. */
  async closeStdin(id: string, execId = ''): Promise<void> {
    const process = await this.#process(id, execId);
    if (!process || process.terminal) return;
    const request = { containerId: id, execId, stdin: true };
    await this.#onProcess('close stdin of', { id, execId }, (tasks) => tasks.closeIO(request));
  }

  async delete(id: string): Promise<ExitStatus | undefined> {
    const exit = await deleteTask(this.#context, id);
    this.#lostExits.forget(id);
    return exit;
  }

  async exec(id: string, spec: ExecSpec): Promise<{ pid: number }> {
    const started = await this.#execStarts.run(id, () => execInTask(this.#context, id, spec));
    this.#lostExits.watch(id, started.pid, spec.execId);
    return started;
  }

  async deleteExec(id: string, execId: string): Promise<ExitStatus | undefined> {
    const exit = await deleteProcess(this.#context, id, execId);
    this.#lostExits.forget(id, execId);
    return exit;
  }

  async pids(id: string): Promise<number[]> {
    const { processes } = await this.#onProcess('list the processes of', { id }, (tasks) =>
      tasks.listPids({ containerId: id }),
    );
    return processes.map(({ pid }) => pid);
  }

  async metrics(id: string): Promise<TaskMetrics> {
    const spec = await readSpec(this.#context, id);
    if (!spec) throw new NetyardError('not-found', `no such task: ${id}`);
    return readMetrics(this.#context.cgroups, spec.linux.cgroupsPath);
  }

  usage(cgroupPath: string): Promise<TaskUsage> {
    return readUsage(this.#context.cgroups, cgroupPath);
  }

  async get(id: string): Promise<TaskInfo | undefined> {
    const process = await this.#process(id, '');
    return process && taskInfo(process);
  }

  async list(): Promise<TaskInfo[]> {
    const { client } = this.#calls;
    const { tasks } = await this.#calls.repeatable('list the tasks', () => client.tasks.list({}));
    for (const { id, pid, status } of tasks) if (aliveStatuses.includes(status)) this.#lostExits.watch(id, pid);
    return tasks.map(taskInfo);
  }

  events(listener: (event: RuntimeEvent) => void): () => void {
    return this.#events.listen(listener);
  }

  /** The caller closes the client. */
  async close(): Promise<void> {
    this.#lostExits.close();
    await this.#events.close();
    if (await isIdle(this.#calls.client)) this.#removeMounts();
  }

  async #runningPid(id: string): Promise<number | undefined> {
    const process = await this.#process(id, '');
    return process?.status === Status.RUNNING ? process.pid : undefined;
  }

  #process(id: string, execId: string): Promise<Process | undefined> {
    return readProcess(this.#calls, id, execId);
  }

  /** A call about a running process; throws `conflict` or `not-found` when it has ended meanwhile. */
  async #onProcess<T>(
    doing: string,
    { id, execId = '' }: { id: string; execId?: string },
    call: (tasks: ContainerdClient['tasks']) => Promise<T>,
  ): Promise<T> {
    try {
      return await this.#calls.once(`${doing} ${id}`, () => call(this.#calls.client.tasks));
    } catch (error) {
      throw await explainEnded(error, () => this.#process(id, execId));
    }
  }
}

const aliveStatuses: readonly Status[] = [Status.RUNNING, Status.PAUSED, Status.PAUSING];

const statuses: ReadonlyMap<Status, TaskStatus> = new Map([
  [Status.CREATED, 'created'],
  [Status.RUNNING, 'running'],
  [Status.STOPPED, 'stopped'],
  [Status.PAUSED, 'paused'],
  [Status.PAUSING, 'paused'],
]);

function taskInfo(process: Process): TaskInfo {
  const { containerId, id, pid, stdin, stdout, stderr, exitStatus, exitedAt } = process;
  const status = statuses.get(process.status) ?? 'stopped'; // UNKNOWN: its shim does not respond
  return {
    id: containerId || id,
    status,
    pid,
    ...(status === 'stopped' ? { exit: { exitCode: exitStatus, exitedAt: nanosecondsOf(exitedAt) } } : {}),
    stdio: { stdin, stdout, stderr },
  };
}

/** Whether no container is left that could need a runtime. False if containerd cannot be queried. */
export async function isIdle(client: ContainerdClient): Promise<boolean> {
  try {
    return (await client.containers.list({})).containers.length === 0;
  } catch {
    return false;
  }
}
