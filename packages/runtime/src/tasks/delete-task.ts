/** Deletes a task and its container, whatever their state. */
import { setTimeout as pause } from 'node:timers/promises';
import { messageOf, NetyardError } from '@netyard/core';
import type { ExitStatus } from '@netyard/engine';
import { isNotFound } from '../containerd/client.ts';
import { Status } from '../containerd/gen/task_types_pb.ts';
import type { DeleteResponse } from '../containerd/gen/tasks_pb.ts';
import type { OciSpec } from '../oci.ts';
import { nanosecondsOf } from './any.ts';
import { removeCgroup } from './cgroups.ts';
import type { TaskContext } from './task-context.ts';

const SIGKILL = 9;
const endsWithinMs = 10_000;
/** A kill can fail, and a shim that dies while containerd is down reports no exit: then it is retried. */
const tryAgainMs = 1000;

/** @returns the exit status of its process; undefined when there was no task (any more). */
export async function deleteTask(context: TaskContext, id: string): Promise<ExitStatus | undefined> {
  const { calls } = context;
  const reading = readSpec(context, id);
  const deleting = calls.repeatable(`delete the task of ${id}`, () => endAndDelete(context, id));
  const [spec, exit] = await Promise.all([reading, deleting]);
  // Leftovers when the shim died, or the creation was interrupted.
  if (spec) await removeCgroup(context.cgroups, spec.linux.cgroupsPath);
  await calls.repeatable(`delete the container ${id}`, () =>
    calls.client.containers.delete({ id }).catch(passOverMissing),
  );
  context.oomKills.forget(id);
  context.shims?.discard(id, { unused: exit === undefined });
  return exit;
}

/** Kills it first, even if it is not started: the shim would wait two seconds for output that never comes. */
async function endAndDelete(context: TaskContext, id: string): Promise<ExitStatus | undefined> {
  if (!(await endTask(context, id))) return undefined;
  try {
    return exitOf(await context.calls.client.tasks.delete({ containerId: id }));
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** @returns false when there is no task. */
async function endTask(context: TaskContext, id: string): Promise<boolean> {
  const deadline = performance.now() + endsWithinMs;
  for (;;) {
    const attempt = new AbortController();
    const ended = context.events.exitOf(id, attempt.signal);
    try {
      const status = await statusOf(context, id);
      if (status === undefined || status === Status.STOPPED) return status !== undefined;
      if (performance.now() > deadline) throw new NetyardError('failed', `the task of ${id} does not end when killed`);
      await kill(context, id, status);
      const later = pause(tryAgainMs, undefined, { signal: attempt.signal }).catch(() => undefined);
      await Promise.race([ended, later]);
    } finally {
      attempt.abort();
    }
  }
}

async function kill({ calls, logger }: TaskContext, id: string, status: Status): Promise<void> {
  const { tasks } = calls.client;
  const attempt = (call: Promise<unknown>): Promise<unknown> =>
    call.catch((error: unknown) => logger.debug('ending a task', { container: id, error: messageOf(error) }));
  await attempt(tasks.kill({ containerId: id, signal: SIGKILL, all: true }));
  if (status === Status.PAUSED || status === Status.PAUSING) await attempt(tasks.resume({ containerId: id }));
}

async function statusOf(context: TaskContext, id: string): Promise<Status | undefined> {
  try {
    const { process } = await context.calls.client.tasks.get({ containerId: id });
    return process?.status;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    if (messageOf(error).includes('ttrpc: closed')) return Status.UNKNOWN; // its shim died, which containerd detects soon
    throw error;
  }
}

/** The specification of a container; undefined when there is no such container. */
export async function readSpec(context: TaskContext, id: string): Promise<OciSpec | undefined> {
  const { calls } = context;
  const response = await calls.repeatable(`read the container ${id}`, () =>
    calls.client.containers.get({ id }).catch(passOverMissing),
  );
  const container = response?.container;
  if (!container?.spec) return undefined;
  return JSON.parse(Buffer.from(container.spec.value).toString());
}

function passOverMissing(error: unknown): undefined {
  if (!isNotFound(error)) throw error;
}

export function exitOf(response: DeleteResponse): ExitStatus {
  return { exitCode: response.exitStatus, exitedAt: nanosecondsOf(response.exitedAt) };
}
