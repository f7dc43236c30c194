/** The part of `doctor` that compares the host with Netyard's records: by the daemon, or without one from its files. */
import { isNetyardError, messageOf } from '@netyard/core';
import type { Context } from '../program/context.ts';
import type { Finding } from './finding.ts';
import type { Host } from './host.ts';

export interface StatePaths {
  /** '': the running daemon's, or as configured. */
  dataRoot: string;
  configFile: string;
}

/** The daemon inspects the network; the files are read here, since reading all of them would delay other requests. */
export async function inspectNetyard(
  context: Pick<Context, 'client'>,
  { isRoot }: Pick<Host, 'isRoot'>,
  paths: StatePaths,
): Promise<Finding[]> {
  const daemon = await askDaemon(context);
  const network = daemon?.findings ?? [];
  if (!isRoot) return [...network, unknown('only root can read the data root', 'run `sudo netyard doctor`')];
  try {
    const { inspectDataRoot } = await import('@netyard/daemon');
    const dataRoot = paths.dataRoot === '' ? (daemon?.dataRoot ?? '') : paths.dataRoot;
    const state = await inspectDataRoot({ ...paths, dataRoot, daemonAnswers: daemon !== undefined });
    return [...network, ...state];
  } catch (error) {
    return [...network, unknown(messageOf(error), 'check --data-root and --config-file')];
  }
}

const unknown = (reason: string, fix: string): Finding => ({
  id: 'database',
  grade: 'warning',
  text: `unknown: ${reason}`,
  fix,
});

/**
 * Undefined without a daemon of this host that knows the request. A daemon that fails to inspect is a finding of its own:
 * it must not look like one that is not running.
 */
async function askDaemon({
  client,
}: Pick<Context, 'client'>): Promise<{ findings: Finding[]; dataRoot: string } | undefined> {
  try {
    if (client().address.kind !== 'unix') return undefined; // another host's, perhaps
    const { Checks } = await client().system.checks();
    const { DockerRootDir } = await client().system.info();
    const findings = Checks.map(
      ({ Id, Grade, Text, Fix }): Finding => ({
        id: Id,
        grade: Grade,
        text: Text,
        ...(Fix === '' ? {} : { fix: Fix }),
      }),
    );
    return { findings: [daemonAnswers, ...findings], dataRoot: DockerRootDir };
  } catch (error) {
    // `forbidden`: who may not use the socket is not root either, which is a finding already.
    if (isNetyardError(error) && ['unavailable', 'not-found', 'forbidden'].includes(error.code)) return undefined;
    return { findings: [daemonFails(messageOf(error))], dataRoot: '' };
  }
}

const daemonFails = (reason: string): Finding => ({
  id: 'daemon',
  grade: 'broken',
  text: `the daemon cannot inspect this host: ${reason}`,
  fix: "read the daemon's log",
});

const daemonAnswers: Finding = { id: 'daemon', grade: 'ok', text: 'running' };
