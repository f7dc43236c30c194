/** `docker exec`, first half: checks that the container accepts a command, and registers the command. */
import { NetyardError, newId } from '@netyard/core';
import type { Networks } from '@netyard/sandbox';
import { publishContainer } from '../events/container-events.ts';
import type { EventLog } from '../events/event-log.ts';
import type { ContainerRecord, ExecConfig, ExecRecord } from '../model.ts';
import { parseDetachKeys } from '../processes/detach-keys.ts';
import { type ContainerIndex, isRestarting, notRunning } from '../records/container-index.ts';
import type { ExecRegistry } from './exec-registry.ts';

/** What the functions of this file work on. */
export interface ExecCreateDependencies {
  readonly networks: Networks;
  readonly index: ContainerIndex;
  readonly events: EventLog;
  readonly execs: ExecRegistry;
}

export function createExec(context: ExecCreateDependencies, ref: string, config: ExecConfig): ExecRecord {
  const record = activeContainer(context, ref);
  if (config.command.length === 0) throw new NetyardError('invalid', 'No exec command specified');
  parseDetachKeys(config.detachKeys);
  const directory = config.workingDirectory;
  if (directory !== '' && !directory.startsWith('/'))
    throw new NetyardError('invalid', `Cwd must be an absolute path: ${directory}`);
  context.networks.checkLinks(record.id);
  const exec: ExecRecord = {
    id: newId(),
    containerId: record.id,
    config,
    running: false,
    exitCode: undefined,
    pid: 0,
  };
  context.execs.add(exec);
  publishContainer(context.events, record, `exec_create: ${commandText(config)}`, { execID: exec.id });
  return exec;
}

export const commandText = ({ command: [name, ...args] }: ExecConfig): string => `${name} ${args.join(' ')}`;

/** Throws `conflict` unless the container runs and is neither paused nor about to be restarted. */
export function activeContainer(context: ExecCreateDependencies, ref: string): ContainerRecord {
  const record = context.index.get(ref);
  const { status } = record.state;
  if (status === 'paused')
    throw new NetyardError('conflict', `Container ${ref} is paused, unpause the container before exec`);
  if (status === 'restarting') throw isRestarting(record);
  if (status !== 'running') throw notRunning(record);
  return record;
}
