/** Starts and ends the daemons of the compared engines, and measures how soon they answer. */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { execInHost, hostLayout } from '@netyard/lab';
import { api, type Engine, engineIn } from './engine.ts';

export interface Daemon {
  engine: Engine;
  /** Column of the table. */
  title: string;
  command: readonly string[];
  /** Folder that precedes PATH. */
  programs?: string;
}

/** A dockerd that `script/unpack-dockerd` unpacked. */
export const newerPrograms = (): string | undefined => {
  const folder = process.env['NETYARD_DOCKERD'];
  return folder && existsSync(join(folder, 'complete')) ? join(folder, 'root/usr/sbin') : undefined;
};

const network = '172.30.0.0/16';

/** A lab with one host for each daemon, and the named further ones, whose addresses begin at 172.30.0.4. */
export const labOf = (name: string, ...more: string[]): string => `
name: ${name}
switch: ${network}
hosts:
${['netyard', 'dockerd', 'newer', ...more].map((host, index) => `  ${host}: { address: 172.30.0.${index + 1}/16, daemon: false }`).join('\n')}
`;

/** Netyard's daemon, Debian's dockerd, and the newer one if it was unpacked. */
export function daemonsOf(lab: string): Daemon[] {
  const netyard = engineIn(lab, 'netyard');
  const { data } = hostLayout(lab, 'netyard');
  const folders = ['--data-root', data, '--exec-root', '/run/netyard', '-H', 'unix:///run/netyard/netyard.sock'];
  const options = [...folders, '--insecure-registry', network];
  const command = [join(import.meta.dirname, '../bin/netyard'), 'daemon', ...options];
  const programs = newerPrograms();
  const newer = programs === undefined ? [] : [dockerdOf(lab, 'newer', programs)];
  return [{ engine: netyard, title: 'Netyard', command }, dockerdOf(lab, 'dockerd'), ...newer];
}

function dockerdOf(lab: string, host: string, programs?: string): Daemon {
  const { data } = hostLayout(lab, host);
  const files = ['--data-root', data, '--exec-root', '/run/dockerd/exec', '--pidfile', '/run/dockerd/pid'];
  // As Netyard's, its containers outlive it.
  const socket = ['-H', 'unix:///run/dockerd/docker.sock'];
  const options = [...socket, ...files, '--live-restore', '--insecure-registry', network];
  const version = execFileSync(programs === undefined ? 'dockerd' : join(programs, 'dockerd'), ['--version']);
  const [, number = ''] = /version (\d+\.\d+)/.exec(String(version)) ?? [];
  return {
    engine: engineIn(lab, 'dockerd', host),
    title: `dockerd ${number}`,
    command: ['sh', '-c', 'mkdir -p /run/dockerd; exec dockerd "$@"', 'sh', ...options],
    ...(programs === undefined ? {} : { programs }),
  };
}

export interface Running {
  process: ChildProcess;
  /** From the start of its process until it answers, in milliseconds. */
  ready: number;
}

/** Starts a daemon. Its start in the lab's host is part of the time: some milliseconds, the same for each. */
export async function start({ engine, command, programs, title }: Daemon): Promise<Running> {
  const log = join(hostLayout(engine.handle.lab, engine.handle.host).data, '../bench.log');
  const output = openSync(log, 'a');
  const path = programs === undefined ? {} : { PATH: `${programs}:${process.env['PATH']}` };
  const began = performance.now();
  const child = execInHost(engine.handle, command, {
    environment: { ...process.env, ...path },
    folder: '/',
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  while (performance.now() - began < 60_000 && child.exitCode === null) {
    if (await answers(engine)) return { process: child, ready: performance.now() - began };
    await pause(2);
  }
  child.kill('SIGKILL');
  throw new Error(`${title} did not answer:\n${readFileSync(log, 'utf8').split('\n').slice(-10).join('\n')}`);
}

const answers = (engine: Engine): Promise<boolean> =>
  api(engine, 'GET', '/_ping').then(
    () => true,
    () => false,
  );

/** Ends a daemon as an init system does, and waits for it. */
export async function end({ process: child }: Running): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

/** Runs with all daemons, and ends them. */
export async function withDaemons<T>(daemons: readonly Daemon[], work: () => Promise<T>): Promise<T> {
  const started: Running[] = [];
  try {
    for (const daemon of daemons) started.push(await start(daemon));
    return await work();
  } finally {
    for (const one of started) await end(one);
  }
}
