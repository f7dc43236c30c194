/**
 * Reads Podman where its API has no socket, which is usual: there is no daemon. Runs the podman command of this user, as
 * `podman ps` does: it needs no service, and knows the formats of its state.
 */
import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { messageOf, NetyardError } from '@netyard/core';
import { listOf, objectOf, textOf } from '../json.ts';
import { parsePodmanInspect, parsePodmanNetwork } from './parse-podman.ts';
import type { EngineReport } from './report.ts';

/** Where Podman keeps containers of root, and their state since the host's start. Without either there are none. */
const stateFolders = ['/var/lib/containers/storage', '/run/containers/storage'];
/** Of each output, in bytes: some 8 KiB for a container. */
const maxOutput = 64 * 1024 * 1024;

/** Undefined where Podman is not installed, or was never used. */
export async function readPodmanCommand(
  env: Readonly<Record<string, string | undefined>>,
  timeout: number,
): Promise<EngineReport | undefined> {
  const program = findProgram(env);
  const folder = stateFolders.find((path) => existsSync(path));
  if (program === undefined || folder === undefined) return undefined;
  const engine = { kind: 'podman' as const, source: folder };
  const run = (...args: string[]): Promise<unknown> => runJson(program, args, env, timeout);
  try {
    const [version, listed, networks] = await Promise.all([
      run('version', '--format', 'json'),
      run('ps', '--all', '--external=false', '--format', 'json'),
      run('network', 'ls', '--format', 'json'),
    ]);
    const ids = listOf(listed).flatMap((each) => textOf(objectOf(each)['Id']) ?? []);
    const inspected = ids.length === 0 ? [] : await run('container', 'inspect', ...ids);
    const number = textOf(objectOf(objectOf(version)['Client'])['Version']);
    return {
      engine: { ...engine, ...(number === undefined ? {} : { version: number }) },
      containers: listOf(inspected).flatMap((each) => parsePodmanInspect(each) ?? []),
      networks: listOf(networks).flatMap((each) => parsePodmanNetwork(each) ?? []),
    };
  } catch (error) {
    return { engine: { ...engine, problem: messageOf(error) }, containers: [], networks: [] };
  }
}

function findProgram({ PATH = '' }: Readonly<Record<string, string | undefined>>): string | undefined {
  const paths = PATH.split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, 'podman'));
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function runJson(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  timeout: number,
): Promise<unknown> {
  const command = `podman ${args.slice(0, 2).join(' ')}`;
  return new Promise((resolve, reject) => {
    execFile(program, args, { env, timeout, maxBuffer: maxOutput, encoding: 'utf8' }, (error, stdout, stderr) => {
      if (error?.killed)
        return reject(new NetyardError('unavailable', `${command}: no answer within ${timeout / 1000} s`));
      const reason = stderr.trim().split('\n').at(-1) || error?.message;
      if (error) return reject(new NetyardError('failed', `${command}: ${reason}`));
      try {
        resolve(JSON.parse(stdout));
      } catch {
        reject(new NetyardError('failed', `${command}: its output is not JSON`));
      }
    });
  });
}
