/** Creates a container and its task; a failure leaves nothing behind. */
import { release } from 'node:os';
import { basename, join } from 'node:path';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { NetyardError, UndoStack } from '@netyard/core';
import type { TaskSpec } from '@netyard/engine';
import { isAlreadyExists } from '../containerd/client.ts';
import type { ContainerSchema } from '../containerd/gen/containers_pb.ts';
import type { OciSpec } from '../oci.ts';
import { coverMaskedFolders } from '../spec/masked-folders.ts';
import { planSpec } from '../spec/plan.ts';
import { resolveUser } from '../spec/user.ts';
import { completeStdio, packJson, packShimOptions } from './any.ts';
import { deleteTask } from './delete-task.ts';
import {
  findBlockDevices,
  findDevices,
  findInit,
  findThermalPaths,
  hasAppArmor,
  isKernelFolder,
  readBoundingSet,
  readOomScoreAdj,
  readUserFiles,
} from './host-facts.ts';
import { resolveMounts } from './mount-targets.ts';
import { processFailure } from './runtime-errors.ts';
import { type OciRuntime, pickRuntime } from './runtimes.ts';
import type { TaskContext } from './task-context.ts';

const shimName = 'io.containerd.runc.v2';

export async function createTask(context: TaskContext, spec: TaskSpec): Promise<{ pid: number }> {
  const runtime = pickRuntime(context.runtimes, spec.runtimeName);
  const isCrun = basename(runtime.path) === 'crun';
  const planned = planOf(context, spec);
  const plan = isCrun ? forCrun(context, spec, planned) : planned;
  const options = packShimOptions(runtime.program, context.runtimeRoot);
  const container = {
    id: spec.id,
    labels: spec.labels,
    runtime: { name: context.shims?.runtimeName ?? shimName, options },
    spec: packJson('Spec', plan),
  };
  const { client } = context.calls;
  context.parentCgroup.prepare(spec.cgroupPath);
  await createContainer(context, container);
  context.oomKills.track(spec.id, spec.cgroupPath);
  return withCleanup(context, spec.id, async () => {
    const stdio = completeStdio(spec.stdio, spec.tty);
    const request = { containerId: spec.id, ...stdio, terminal: spec.tty, options };
    try {
      const { pid } = await context.calls.once(`create the task of ${spec.id}`, () => client.tasks.create(request));
      if (isCrun) await context.filters.learn(plan, join(context.runtimeRoot, client.namespace, spec.id));
      return { pid };
    } catch (error) {
      throw explained(error, spec, runtime);
    }
  });
}

function forCrun({ filters, emptyFolder: path }: TaskContext, { seccomp }: TaskSpec, planned: OciSpec): OciSpec {
  const plan = filters.apply(planned);
  if (path === undefined) return plan;
  return coverMaskedFolders(plan, { path, masked: (plan.linux.maskedPaths ?? []).filter(isKernelFolder) }, seccomp);
}

type NewContainer = MessageInitShape<typeof ContainerSchema> & { id: string };

async function createContainer(context: TaskContext, container: NewContainer): Promise<void> {
  const { calls } = context;
  const { containers } = calls.client;
  await calls.repeatable(`create the container ${container.id}`, async () => {
    try {
      await containers.create({ container });
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      await deleteTask(context, container.id); // left by a killed daemon
      await containers.create({ container });
    }
  });
}

function planOf(context: TaskContext, spec: TaskSpec) {
  const user = resolveUser(spec.user, spec.groupAdd, readUserFiles(spec.rootPath));
  const facts = {
    available: readBoundingSet(),
    architecture: process.arch,
    kernel: release(),
    initPath: spec.init ? findInit(context.searchPath) : '',
    devices: findDevices(spec),
    cgroups: context.cgroups,
    blockDevices: findBlockDevices(spec.resources),
    appArmor: hasAppArmor(),
    oomScoreAdj: readOomScoreAdj(),
    thermalPaths: findThermalPaths(),
  };
  const plan = planSpec(spec, facts, user);
  return { ...plan, mounts: resolveMounts(spec.rootPath, plan.mounts) };
}

async function withCleanup<T>(context: TaskContext, id: string, work: () => Promise<T>): Promise<T> {
  const undo = new UndoStack();
  undo.push(() => deleteTask(context, id).then(() => undefined));
  try {
    return await work();
  } catch (error) {
    for (const failure of await undo.rollback())
      context.logger.error('removing a half-created task failed', { container: id, error: String(failure) });
    throw error;
  }
}

/** Failures of the call itself are unchanged; the runtime's messages are converted to Docker's. */
export function explained(
  error: unknown,
  attempted: Pick<TaskSpec, 'args' | 'workingDirectory'>,
  runtime?: OciRuntime,
) {
  if (!(error instanceof NetyardError) || error.code === 'unavailable') return error;
  const failure = processFailure(error.message, attempted, error);
  const isMissing = /fork\/exec|exec: .*(crun|runc).*: no such file/.test(error.message) && runtime !== undefined;
  return isMissing && failure.code === 'failed'
    ? new NetyardError('unavailable', `the runtime ${runtime.path} does not start`, { cause: error })
    : failure;
}
