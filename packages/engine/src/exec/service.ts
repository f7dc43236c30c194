/** The exec operations of the engine. */
import { NetyardError } from '@netyard/core';
import type { ExecService } from '../contract.ts';
import { publishContainer } from '../events/container-events.ts';
import type { EventLog } from '../events/event-log.ts';
import type { Runtime } from '../ports.ts';
import { type ContainerIndex, hasEnded, notRunning } from '../records/container-index.ts';
import { activeContainer, createExec, type ExecCreateDependencies } from './create.ts';
import type { ExecRegistry } from './exec-registry.ts';
import { type ExecStartDependencies, startExec } from './start.ts';

/** What the functions of this file work on. */
export interface ExecServiceDependencies extends ExecCreateDependencies, ExecStartDependencies {
  readonly runtime: Runtime;
  readonly index: ContainerIndex;
  readonly events: EventLog;
  readonly execs: ExecRegistry;
}

const noProcess = (id: string): NetyardError =>
  new NetyardError('not-found', `process does not exist ${id}: not found`);

export function createExecService(context: ExecServiceDependencies): ExecService {
  return {
    async create(ref, config) {
      return { id: createExec(context, ref, config).id };
    },
    async checkStart(id) {
      activeContainer(context, context.execs.get(id).containerId);
    },
    start: (id, options) => startExec(context, id, options),
    async resize(id, rows, columns) {
      context.execs.get(id);
      // A client may send it as soon as it has the head of the response to the start, before the process runs.
      await context.execs.startEnds(id);
      const exec = context.execs.get(id);
      const record = context.index.get(exec.containerId);
      if (exec.exitCode !== undefined) throw noProcess(id);
      if (!exec.running) throw notRunning(record);
      await context.runtime.resize(record.id, rows, columns, id).catch((error: unknown) => {
        throw hasEnded(error) ? noProcess(id) : error;
      });
      const attributes = { execID: id, height: String(rows), width: String(columns) };
      publishContainer(context.events, record, 'exec_resize', attributes);
    },
    async inspect(id) {
      return context.execs.get(id);
    },
  };
}
