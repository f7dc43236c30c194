/** Exec processes in a running container. */
import { isNetyardError, NetyardError } from '@netyard/core';
import type { ExecSpec, ExitStatus } from '@netyard/engine';
import { isNotFound } from '../containerd/client.ts';
import { resolveUser } from '../spec/user.ts';
import { completeStdio, packJson } from './any.ts';
import { explained } from './create-task.ts';
import { exitOf, readSpec } from './delete-task.ts';
import { explainEnded, readProcess } from './ended-process.ts';
import { planExec } from './exec-process.ts';
import { readBoundingSet, readRunningUserFiles } from './host-facts.ts';
import type { TaskContext } from './task-context.ts';

export async function execInTask(context: TaskContext, id: string, spec: ExecSpec): Promise<{ pid: number }> {
  const task = await readSpec(context, id);
  if (!task) throw new NetyardError('not-found', `no such task: ${id}`);
  const users = await readRunningUserFiles(id, spec.containerPid, task.root.path);
  const user = resolveUser(spec.user, spec.groupAdd, users);
  const process = planExec(spec, task.process, user, readBoundingSet());
  const { calls } = context;
  const { tasks } = calls.client;
  const ids = { containerId: id, execId: spec.execId };
  const request = { ...ids, ...completeStdio(spec.stdio, spec.tty), terminal: spec.tty };
  const ended = (error: unknown): Promise<unknown> => explainEnded(error, () => readProcess(calls, id, ''));
  try {
    await calls.once(`add a process to ${id}`, () => tasks.exec({ ...request, spec: packJson('Process', process) }));
  } catch (error) {
    throw await ended(error);
  }
  try {
    return await calls.once(`start a process in ${id}`, () => tasks.start(ids));
  } catch (error) {
    const failure = await ended(error);
    await deleteProcess(context, id, spec.execId);
    throw isNetyardError(failure, 'conflict') ? failure : explained(failure, spec);
  }
}

/** No error when it does not exist. */
export async function deleteProcess(context: TaskContext, id: string, execId: string): Promise<ExitStatus | undefined> {
  const { calls } = context;
  return calls.repeatable(`delete a process of ${id}`, async () => {
    try {
      return exitOf(await calls.client.tasks.deleteProcess({ containerId: id, execId }));
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  });
}
