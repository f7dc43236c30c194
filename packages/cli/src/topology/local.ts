/** Observing this host without its daemon: who may, when, and which engines to ask. */
import { DaemonError } from '@netyard/client';
import { isNetyardError } from '@netyard/core';
import type { HostTopology, SurveyOptions } from '@netyard/topology';
import { describeError, Failure } from '../failure.ts';
import type { Context } from '../program/context.ts';

/** Other users' namespaces are entered, which only root may. `command`: `netyard topology`. */
export function requireRoot(command: string): void {
  if (process.geteuid?.() === 0) return;
  throw new Failure(
    `${command} has to enter the network namespaces of containers, which only root may\nrun it with sudo: sudo ${command}`,
  );
}

/** The daemon that the command line names is asked, if it is on this host. */
export function surveyOptions(context: Context): SurveyOptions {
  const { address } = context.client();
  return { env: context.env, sockets: address.kind === 'unix' ? [address.path] : [] };
}

/**
 * Whether a target that the daemon does not know, or a daemon that cannot be reached, leads to the other engines of this
 * host. Throws the daemon's error otherwise, and for users who may not enter namespaces with what to do about it.
 */
export function requireLocal(context: Context, command: string, error: unknown): void {
  const isElsewhere = (['not-found', 'unavailable', 'forbidden'] as const).some((code) => isNetyardError(error, code));
  if (!isElsewhere || context.client().address.kind !== 'unix') throw error;
  if (process.geteuid?.() === 0) return;
  throw new Failure(`${describeError(error)}\nto look among the containers of other engines: sudo ${command}`);
}

/** What else the host has: an answer of Netyard's own daemon stands for its containers, their namespaces and networks. */
export function withoutAnswered(host: HostTopology, error: unknown): HostTopology {
  if (!(error instanceof DaemonError)) return host;
  const own = new Set(host.containers.flatMap(({ engine, namespaceId }) => (engine === 'netyard' ? namespaceId : [])));
  return {
    ...host,
    containers: host.containers.filter(({ engine }) => engine !== 'netyard'),
    networks: host.networks.filter(({ engine }) => engine !== 'netyard'),
    namespaces: host.namespaces.filter(({ id, isHost }) => isHost || !own.has(id)),
  };
}
