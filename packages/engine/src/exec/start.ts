/** `docker exec`, second half: runs the process and connects its streams. */
import { Writable } from 'node:stream';
import { isNetyardError, type Logger, messageOf } from '@netyard/core';
import type { Networks } from '@netyard/sandbox';
import type { Attachment, ExecService, OutputChunk } from '../contract.ts';
import { publishContainer } from '../events/container-events.ts';
import type { EventLog } from '../events/event-log.ts';
import type { ContainerRecord, ExecRecord } from '../model.ts';
import type { ExecSpec, ExitStatus, Runtime } from '../ports.ts';
import { DetachWatch, parseDetachKeys } from '../processes/detach-keys.ts';
import { processEnv } from '../processes/env.ts';
import { hostnameOf } from '../processes/hostname.ts';
import { failureAnswer, RuntimeFailure, runtimeFailure } from '../processes/start-failure.ts';
import { watchedStdin } from '../processes/watched-stdin.ts';
import { type ContainerIndex, hasEnded, notRunning } from '../records/container-index.ts';
import type { EngineSettings, PipeFiles } from '../settings.ts';
import { activeContainer, commandText, type ExecCreateDependencies } from './create.ts';
import { ExecPipes, type ExecStreams } from './exec-pipes.ts';
import type { ExecRegistry } from './exec-registry.ts';
import { mergeOutput } from './merge-output.ts';

/** What the functions of this file work on. */
export interface ExecStartDependencies extends ExecCreateDependencies {
  readonly runtime: Runtime;
  readonly networks: Networks;
  readonly files: PipeFiles;
  readonly settings: EngineSettings;
  readonly logger: Logger;
  readonly index: ContainerIndex;
  readonly events: EventLog;
  readonly execs: ExecRegistry;
}

/** How long the end of the output may lag behind the exit of the process; containerd's shim waits as long. */
const drainMilliseconds = 2000;

type StartOptions = Parameters<ExecService['start']>[1];

/** A running exec process: its output ends when the process has ended and its exit code is known. */
export interface RunningExec {
  output: AsyncIterable<OutputChunk>;
  stdin: Writable | undefined;
  /** Resolves after the exit code is in the registry. */
  ended: Promise<ExitStatus>;
}

export async function startExec(
  context: ExecStartDependencies,
  id: string,
  options: StartOptions,
): Promise<Attachment | undefined> {
  const exec = context.execs.get(id);
  const record = activeContainer(context, exec.containerId);
  context.execs.claim(id);
  const { attachStdin, attachStdout, attachStderr, tty } = exec.config;
  const requested: ExecStreams = options.detach
    ? { stdin: false, stdout: false, stderr: false }
    : { stdin: attachStdin, stdout: attachStdout, stderr: attachStderr && !tty && !options.tty };
  const size = options.consoleSize ?? exec.config.consoleSize;
  const running = await launchExec(context, record, exec, requested, size);
  if (options.detach) {
    void consume(running.output);
    return undefined;
  }
  return attachment(context, record, exec, { running, streams: requested }, options.signal);
}

/** Runs it; a failure to start ends it with Docker's exit code. */
export async function launchExec(
  context: ExecStartDependencies,
  record: ContainerRecord,
  exec: ExecRecord,
  requested: ExecStreams,
  consoleSize?: [number, number],
): Promise<RunningExec> {
  try {
    return await launch(context, record, exec, requested, consoleSize);
  } finally {
    context.execs.startEnded(exec.id);
  }
}

async function launch(
  context: ExecStartDependencies,
  record: ContainerRecord,
  exec: ExecRecord,
  requested: ExecStreams,
  consoleSize: [number, number] | undefined,
): Promise<RunningExec> {
  const { execs, runtime, settings, files, events } = context;
  publishContainer(events, record, `exec_start: ${commandText(exec.config)}`, { execID: exec.id });
  const pipes = new ExecPipes(settings, files, { container: record.id, exec: exec.id }, requested);
  const release = execs.hold(pipes);
  // Nothing else inside a container that may not change its network can change it.
  const releaseWatch = exec.config.privileged ? context.networks.holdWatch(record.id) : () => undefined;
  const ending = execs.ending(exec.id);
  try {
    const { pid } = await runtime.exec(record.id, execSpec(context, record, exec, pipes, consoleSize));
    const present = execs.find(exec.id);
    if (present?.exitCode === undefined) execs.put({ ...exec, running: true, pid });
    const stdin = pipes.openStdin();
    const ended = ending.then((exit) => recordExecExit(context, record, exec, pipes, exit)).finally(releaseWatch);
    return { output: execOutput(pipes, ended, release), stdin: stdin && execStdin(context, exec, stdin), ended };
  } catch (error) {
    release();
    releaseWatch();
    pipes.destroy();
    const failure = hasEnded(error) ? new RuntimeFailure(notRunning(record), 128) : runtimeFailure(error, 'exec');
    execs.put({ ...exec, running: false, exitCode: failure.exitCode === 128 ? 126 : failure.exitCode });
    execs.forgetLater(exec.id);
    throw failureAnswer(failure);
  }
}

function execSpec(
  context: ExecStartDependencies,
  record: ContainerRecord,
  exec: ExecRecord,
  pipes: ExecPipes,
  consoleSize: [number, number] | undefined,
): ExecSpec {
  const { config } = exec;
  const links = context.networks.linkEnvironment(record.id);
  const { networkMode } = record.config;
  const shown = networkMode.kind === 'container' ? (context.index.find(networkMode.ref) ?? record) : record;
  return {
    execId: exec.id,
    containerPid: record.state.pid,
    args: config.command,
    env: processEnv(record, { hostname: hostnameOf(shown), tty: config.tty, links, extra: config.env }),
    workingDirectory: config.workingDirectory || record.process.workingDirectory || '/',
    user: config.user || record.process.user,
    groupAdd: record.config.groupAdd,
    tty: config.tty,
    ...(config.tty && consoleSize ? { consoleSize } : {}),
    privileged: config.privileged || record.config.privileged,
    stdio: pipes.stdio,
  };
}

/** The exit code is known first; then the shim closes the FIFOs, and their readers get the end of file. */
async function recordExecExit(
  context: ExecStartDependencies,
  record: ContainerRecord,
  exec: ExecRecord,
  pipes: ExecPipes,
  exit: ExitStatus,
): Promise<ExitStatus> {
  const { execs, runtime, logger, events } = context;
  execs.put({ ...exec, running: false, exitCode: exit.exitCode, pid: 0 });
  execs.forgetLater(exec.id);
  try {
    await runtime.deleteExec(record.id, exec.id);
  } catch (error) {
    if (!isNetyardError(error, 'not-found'))
      logger.warn('deleting an exec failed', { container: record.id, exec: exec.id, error: messageOf(error) });
  }
  pipes.remove();
  const attributes = { execID: exec.id, exitCode: String(exit.exitCode) };
  publishContainer(events, context.index.byId(record.id) ?? record, 'exec_die', attributes);
  return exit;
}

/** A FIFO ends when the shim closes it; if the shim died without doing so, silence counts as the end. */
async function* execOutput(
  pipes: ExecPipes,
  ended: Promise<ExitStatus>,
  release: () => void,
): AsyncGenerator<OutputChunk> {
  const sources = [
    ...(pipes.stdout ? [{ stream: 'stdout' as const, readable: pipes.stdout }] : []),
    ...(pipes.stderr ? [{ stream: 'stderr' as const, readable: pipes.stderr }] : []),
  ];
  let timer: NodeJS.Timeout | undefined;
  const giveUp = (): void => {
    for (const { readable } of sources) if (readable.readableLength === 0) readable.push(null);
  };
  void ended.then(() => {
    timer = setTimeout(giveUp, drainMilliseconds);
  });
  try {
    yield* mergeOutput(sources);
    await ended;
  } finally {
    clearTimeout(timer);
    release();
  }
}

/** Input that waits for the process; a connection reads 64 KiB at once. */
const inputBytes = 256 * 1024;

/** The end of the client's input ends the process's stdin, unless it is a terminal. */
function execStdin(context: ExecStartDependencies, exec: ExecRecord, pipe: Writable): Writable {
  return new Writable({
    highWaterMark: inputBytes,
    write(chunk: Buffer, _encoding, done) {
      if (pipe.destroyed) return done();
      pipe.write(chunk, () => done());
    },
    final(done) {
      if (exec.config.tty || pipe.destroyed) return done();
      pipe.once('close', () => {
        context.runtime.closeStdin(exec.containerId, exec.id).then(
          () => done(),
          () => done(), // it ended meanwhile
        );
      });
      pipe.end(() => pipe.destroy());
    },
    destroy(error, done) {
      pipe.destroy();
      done(error);
    },
  });
}

function attachment(
  context: ExecStartDependencies,
  record: ContainerRecord,
  exec: ExecRecord,
  { running, streams }: { running: RunningExec; streams: ExecStreams },
  signal: AbortSignal,
): Attachment {
  const { promise: detached, resolve: detach } = Promise.withResolvers<void>();
  const leaving = new AbortController();
  const leave = (): void => {
    publishContainer(context.events, record, 'exec_detach', { execID: exec.id });
    leaving.abort();
    detach();
  };
  const keys = parseDetachKeys(exec.config.detachKeys);
  const { tty } = exec.config;
  const stdin = running.stdin && tty ? watchedStdin(running.stdin, new DetachWatch(keys), leave) : running.stdin;
  // As in Docker, a client without output is served until its input ends, and one without streams until the process
  // starts.
  if (!streams.stdout && !streams.stderr) {
    if (running.stdin) running.stdin.once('close', () => leaving.abort());
    else leaving.abort();
  }
  return { tty, output: untilAborted(running.output, AbortSignal.any([signal, leaving.signal])), stdin, detached };
}

/**
 * A client that disconnects does not end the process: the rest of its output is read and dropped, so that it does not
 * block.
 */
async function* untilAborted(output: AsyncIterable<OutputChunk>, signal: AbortSignal): AsyncGenerator<OutputChunk> {
  const iterator = output[Symbol.asyncIterator]();
  const { promise: aborted, resolve } = Promise.withResolvers<undefined>();
  const abort = (): void => resolve(undefined);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  let ended = false;
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), aborted]);
      ended = next?.done === true;
      if (next === undefined || ended) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener('abort', abort);
    if (!ended) void consume({ [Symbol.asyncIterator]: () => iterator });
  }
}

export async function consume(output: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of output);
}
