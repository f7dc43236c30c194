/** Translates exec requests and exec inspect. Pure. */
import type { ExecInspect } from '@netyard/api-types';
import { NetyardError } from '@netyard/core';
import { type ExecConfig, type ExecRecord, parseDetachKeys } from '@netyard/engine';
import type { ExecCreateBody } from '../schemas/bodies.ts';

export function translateExecCreate(body: ExecCreateBody): ExecConfig {
  if (!body.Cmd || body.Cmd.length === 0) throw new NetyardError('invalid', 'No exec command specified');
  const size = body.ConsoleSize;
  return {
    command: body.Cmd,
    env: body.Env,
    user: body.User,
    workingDirectory: body.WorkingDir,
    tty: body.Tty,
    attachStdin: body.AttachStdin,
    attachStdout: body.AttachStdout,
    attachStderr: body.AttachStderr,
    privileged: body.Privileged,
    detachKeys: body.DetachKeys,
    ...(size && size[0] > 0 && size[1] > 0 ? { consoleSize: size } : {}),
  };
}

/** The detach keys are Go's bytes: their codes in base64. */
export function translateExecInspect(record: ExecRecord): ExecInspect {
  const { config } = record;
  const [entrypoint = '', ...rest] = config.command;
  return {
    ID: record.id,
    Running: record.running,
    ExitCode: record.exitCode ?? null,
    ProcessConfig: {
      tty: config.tty,
      entrypoint,
      arguments: rest,
      privileged: config.privileged,
      ...(config.user === '' ? {} : { user: config.user }),
    },
    OpenStdin: config.attachStdin,
    OpenStderr: config.attachStderr,
    OpenStdout: config.attachStdout,
    CanRemove: !record.running && record.exitCode !== undefined,
    ContainerID: record.containerId,
    DetachKeys: Buffer.from(config.detachKeys === '' ? [] : parseDetachKeys(config.detachKeys)).toString('base64'),
    Pid: record.pid,
  };
}
