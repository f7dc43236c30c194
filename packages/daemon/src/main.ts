/** Runs the daemon: combines flags and file, handles signals, exits. The only file that ends the process. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Logger, messageOf, NetyardError, reasonOf } from '@netyard/core';
import { failCurrentRequest } from '@netyard/docker-api';
import { type DaemonConfig, parseConfigFile, planConfig } from './config.ts';
import { type DaemonFlags, parseFlags } from './flags.ts';
import { readVersion } from './host-facts.ts';
import { openLogger } from './log.ts';
import { type RunningDaemon, startDaemon } from './wire.ts';

const defaultConfigFile = '/etc/netyard/daemon.json';

/** `netyard daemon …`, with the arguments after `daemon`. Resolves with the exit status when the daemon has ended. */
export async function runDaemon(argv: readonly string[]): Promise<number> {
  let status = 0;
  await parseFlags(argv, async (flags) => {
    status = await run(flags);
  });
  return status;
}

async function run(flags: DaemonFlags): Promise<number> {
  let config: DaemonConfig;
  try {
    config = planConfig(flags.options, readConfigFile(flags.configFile), process.env);
    if (process.getuid?.() !== 0) throw new NetyardError('forbidden', 'the Netyard daemon needs to be root');
  } catch (error) {
    return complain(error);
  }
  const logger = openLogger({ level: config.logLevel, format: config.logFormat, output: process.stderr });
  const ending = untilAsked(logger);
  let daemon: RunningDaemon;
  try {
    daemon = await startDaemon(config, logger, process.env);
  } catch (error) {
    return complain(error);
  }
  surviveExceptions(logger);
  const removePidfile = writePidfile(config.pidfile);
  logger.info(`Netyard ${readVersion()} is ready`, { addresses: daemon.addresses.join(' '), pid: process.pid });
  const signal = await ending;
  logger.info('ending', { signal });
  const failures = await daemon.stop();
  removePidfile();
  for (const failure of failures) logger.error('some steps of the shutdown failed', { error: failure });
  return failures.length === 0 ? 0 : 1;
}

/**
 * An uncaught exception ends the request it was thrown for. One that belongs to no request is logged with its stack and
 * the daemon continues: the next reconciliation repairs what a callback left incomplete, whereas an exit would
 * disconnect every client's attach, logs and uploads, again at each repetition. Before the daemon is ready an exception
 * ends it, as no client depends on it yet.
 */
function surviveExceptions(logger: Logger): void {
  const onError = (what: string) => (error: unknown) => {
    if (failCurrentRequest(error)) return;
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    logger.error(what, { error, stack });
  };
  process.on('uncaughtException', onError('uncaught exception'));
  process.on('unhandledRejection', onError('unhandled rejection'));
}

/** A file given by name must exist; the one at the default path need not. */
export function readConfigFile(named: string | undefined): ReturnType<typeof parseConfigFile> {
  const path = named ?? defaultConfigFile;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const absent = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (named === undefined && absent) return {};
    throw new NetyardError('invalid', `unable to configure the Netyard daemon with file ${path}: ${reasonOf(error)}`);
  }
  return parseConfigFile(text, path);
}

/** Resolves at the first termination signal; a second one ends the process at once. */
function untilAsked(logger: Logger): Promise<NodeJS.Signals> {
  const asked = Promise.withResolvers<NodeJS.Signals>();
  let times = 0;
  const ask = (signal: NodeJS.Signals): void => {
    times += 1;
    if (times > 1) process.exit(1);
    asked.resolve(signal);
  };
  process.on('SIGTERM', ask);
  process.on('SIGINT', ask);
  process.on('SIGHUP', () =>
    logger.warn('SIGHUP: changed options take effect at the next start; containers keep running'),
  );
  return asked.promise;
}

function writePidfile(path: string): () => void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${process.pid}\n`, { mode: 0o644 });
  return () => rmSync(path, { force: true });
}

function complain(error: unknown): number {
  const hint = error instanceof NetyardError && error.hint !== undefined ? `\n${error.hint}` : '';
  process.stderr.write(`failed to start daemon: ${messageOf(error)}${hint}\n`);
  return 1;
}
