/**
 * Reads an engine that answers the Docker Engine API on a unix socket. Only asks (GET). An engine that hangs or answers
 * something else is reported as a problem of the engine.
 */
import { type NetyardClient, openClient } from '@netyard/client';
import { isNetyardError, messageOf, NetyardError } from '@netyard/core';
import { objectOf, textOf } from '../json.ts';
import type { EngineKind, HostEngine } from '../model.ts';
import { isTrusted, withoutForeignClaims } from './foreign-claims.ts';
import { parseInspect, parseSummary } from './parse-container.ts';
import { parseNetwork, parseVersion } from './parse-network.ts';
import type { EngineContainer, EngineReport } from './report.ts';

export interface ReadOptions {
  /** For each answer, in milliseconds. */
  timeout: number;
  /** Of the socket: who can put another program in its place. */
  owner: number | undefined;
}

/** Requests that are under way at the same time. */
const parallelRequests = 8;
/** In bytes: any user can have an engine's socket in /run/user. An inspection has some 8 KiB, a list 1 KiB per container. */
const maxAnswer = 16 * 1024 * 1024;
/** All inspections of an engine, as a multiple of the time for one: for engines that are slow, not stuck. */
const totalTime = 5;

/** `guess`: the kind to report for an engine that does not say it, from the socket's path. */
export async function readApiEngine(path: string, guess: EngineKind, options: ReadOptions): Promise<EngineReport> {
  const client = openClient({ host: `unix://${path}`, env: {}, maxAnswer });
  const nothing = { containers: [], networks: [] };
  try {
    const answer = parseVersion(await within(options, client.system.version()));
    if (answer === undefined) return failed(guess, path, 'its answer is none of an engine');
    const { owner } = options;
    const owned = isTrusted(owner) ? {} : { owner: owner ?? ('several users' as const) };
    const engine: HostEngine = { kind: answer.kind, source: path, version: answer.version, ...owned };
    try {
      return await readContents(client, engine, options);
    } catch (error) {
      return { engine: { ...engine, problem: problemOf(error) }, ...nothing };
    }
  } catch (error) {
    return failed(guess, path, problemOf(error));
  } finally {
    client.close();
  }
}

const failed = (kind: EngineKind, source: string, problem: string): EngineReport => ({
  ...{ engine: { kind, source, problem }, containers: [], networks: [] },
});

/** The client's messages name the Netyard daemon; the cause has what happened. */
function problemOf(error: unknown): string {
  if (!isNetyardError(error) || error.cause === undefined) return messageOf(error);
  const code = error.cause instanceof Error && 'code' in error.cause ? error.cause.code : undefined;
  if (code === 'ECONNREFUSED') return 'nothing listens on the socket';
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied';
  return messageOf(error.cause);
}

async function readContents(client: NetyardClient, engine: HostEngine, options: ReadOptions): Promise<EngineReport> {
  const [listed, networks] = await Promise.all([
    within(options, client.containers.list({ all: true })),
    within(options, client.networks.list()),
  ]);
  if (!Array.isArray(listed) || !Array.isArray(networks))
    throw new NetyardError('failed', 'its lists of containers and networks are no lists');
  const { containers, problem } = await inspectAll(client, engine.kind, listed, options);
  return {
    engine: { ...engine, ...(problem === undefined ? {} : { problem }) },
    containers: isTrusted(options.owner)
      ? containers
      : containers.map((one) => withoutForeignClaims(one, options.owner)),
    networks: networks.flatMap((network) => parseNetwork(engine.kind, network) ?? []),
  };
}

/** After a failed inspection the remaining containers have what the list says about them. */
async function inspectAll(
  client: NetyardClient,
  kind: EngineKind,
  listed: readonly unknown[],
  options: ReadOptions,
): Promise<{ containers: EngineContainer[]; problem?: string }> {
  const containers: (EngineContainer | undefined)[] = [];
  let problem: string | undefined;
  let next = 0;
  const deadline = performance.now() + totalTime * options.timeout;
  const work = async (): Promise<void> => {
    while (next < listed.length) {
      const index = next++;
      const id = textOf(objectOf(listed[index])['Id']) ?? '';
      containers[index] = parseSummary(kind, listed[index]);
      if (performance.now() > deadline) problem ??= 'it is too slow: some containers are described by its list only';
      if (id === '' || problem !== undefined) continue;
      try {
        containers[index] =
          parseInspect(kind, await within(options, client.containers.inspect(id))) ?? containers[index];
      } catch (error) {
        if (isNetyardError(error, 'not-found'))
          containers[index] = undefined; // removed meanwhile
        else problem ??= `inspecting container ${containers[index]?.name ?? id}: ${problemOf(error)}`;
      }
    }
  };
  await Promise.all(Array.from({ length: parallelRequests }, work));
  const found = containers.filter((container) => container !== undefined);
  return { containers: found, ...(problem === undefined ? {} : { problem }) };
}

async function within<T>({ timeout }: ReadOptions, answer: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new NetyardError('unavailable', `no answer within ${timeout / 1000} s`)),
    timeout,
  );
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
