/**
 * A lab host with an engine, for one test file: created on demand, removed by `close`.
 *
 *     const host = await openHost('netyard', { images: ['netyard-test'] });
 *     await host.docker('run', '-d', 'netyard-test', 'sleep', '1000');
 *     await host.close();
 *
 * Commands run inside the host with its DOCKER_HOST, as `netyard lab exec HOST -- …` runs them.
 */
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { bringDown, bringUp, execInHost, findHost, type HostHandle, type LabHost, startDaemon } from '@netyard/lab';
import type { EngineName } from './engines.ts';
import { archivePath, type ImageName } from './images.ts';

export interface CommandResult {
  status: number;
  stdout: string;
  stderr: string;
}

export interface HostOptions {
  images?: readonly ImageName[];
  bip?: string;
  /** `bip` of each of several hosts. */
  bips?: readonly string[];
  /** Further options for the engine's daemon. */
  daemonOptions?: readonly string[];
  /** Starts no daemon. */
  daemon?: false;
}

export interface RunOptions {
  stdin?: string;
  /** Additional environment variables. */
  environment?: Record<string, string>;
}

export const hostAddress = '172.16.2.101';
export const neighbourAddress = '172.16.2.102';
const socket = '/run/netyard/netyard.sock';
const top = join(import.meta.dirname, '../..');

export class TestHost {
  readonly engine: EngineName;
  readonly lab: string;
  readonly #definition: LabHost;
  readonly #options: HostOptions;
  readonly #handle: HostHandle;

  constructor(engine: EngineName, lab: string, definition: LabHost, options: HostOptions) {
    this.engine = engine;
    this.lab = lab;
    this.#definition = definition;
    this.#options = options;
    this.#handle = findHost(`${lab}/${definition.name}`);
  }

  /** Kills Netyard's daemon with SIGKILL; returns when it has ended, with its sockets and locks. */
  async killDaemon(): Promise<void> {
    await this.sh('p=$(cat /run/netyard/netyard.pid); kill -9 $p; while kill -0 $p 2> /dev/null; do sleep 0.02; done');
  }

  /** Starts the engine again after it died. */
  async restartDaemon(): Promise<void> {
    if (this.engine === 'netyard') await startDaemon(this.#handle, this.#definition);
    else await startDockerd(this, this.#options);
  }

  /** The host's data folder, the same path inside and outside of the host. */
  get dataFolder(): string {
    return `/var/lib/netyard-lab/${this.#handle.lab}/${this.#handle.host}/data`;
  }

  /** Pid of the host's init process outside of the host. */
  get pid(): number {
    return this.#handle.init.pid;
  }

  /** Starts a command and leaves it running. */
  start(command: readonly string[], options: RunOptions = {}): ChildProcess {
    return execInHost(this.#handle, command, {
      environment: { ...process.env, ...options.environment },
      folder: '/',
      stdio: [options.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
  }

  /** Runs a command to its end, with any status. */
  async run(command: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
    const child = this.start(command, options);
    if (options.stdin !== undefined) child.stdin?.end(options.stdin);
    return collect(child);
  }

  /** Runs a command that must succeed. @returns its standard output */
  async output(...command: string[]): Promise<string> {
    const result = await this.run(command);
    if (result.status === 0) return result.stdout;
    throw new Error(`${command.join(' ')}: status ${result.status}\n${result.stdout}${result.stderr}`);
  }

  /** A shell line that must succeed. */
  sh(line: string): Promise<string> {
    return this.output('sh', '-c', line);
  }

  /** `docker …` that must succeed; standard output without the last line end. */
  async docker(...args: string[]): Promise<string> {
    return (await this.output('docker', ...args)).replace(/\n$/, '');
  }

  /** `docker …` with any status. */
  tryDocker(...args: string[]): Promise<CommandResult> {
    return this.run(['docker', ...args]);
  }

  /** `netyard …` that must succeed. */
  async netyard(...args: string[]): Promise<string> {
    return (await this.output(join(top, 'bin/netyard'), ...args)).replace(/\n$/, '');
  }

  tryNetyard(...args: string[]): Promise<CommandResult> {
    return this.run([join(top, 'bin/netyard'), ...args]);
  }

  async load(image: ImageName): Promise<void> {
    await this.docker('load', '-q', '-i', archivePath(image));
  }

  /** Removes all containers, as the tutorial does between chapters. */
  async removeContainers(): Promise<void> {
    await this.sh('ids=$(docker ps -aq); [ -z "$ids" ] || docker rm -f -v $ids');
  }

  async close(): Promise<void> {
    await bringDown(this.lab);
  }
}

export function collect(child: ChildProcess): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ status: code ?? (signal ? 128 : 1), stdout, stderr }));
  });
}

let labCount = 0;

/** Creates a lab of one host, `server1`, with the engine running and the images loaded. */
export async function openHost(engine: EngineName, options: HostOptions = {}): Promise<TestHost> {
  const [host] = await openHosts(engine, ['server1'], options);
  if (!host) throw new Error('no host was created');
  return host;
}

/** Several hosts on one switch, each with the engine; the first one's `close()` ends the lab. */
export async function openHosts(
  engine: EngineName,
  names: readonly string[],
  options: HostOptions = {},
): Promise<TestHost[]> {
  labCount += 1;
  const lab = `e2e-${engine}-${process.pid}-${labCount}`;
  const hosts = names.map((name, index): LabHost => {
    const uplink = { switch: 'switch', link: 'ens33', address: `172.16.2.${101 + index}/16` };
    const started = engine === 'netyard' && options.daemon !== false;
    const requested = options.bips?.[index] ?? options.bip;
    const bip = requested === undefined ? {} : { bip: requested };
    return { name, uplinks: [uplink], ...bip, daemon: started, daemonOptions: options.daemonOptions ?? [] };
  });
  const definition = { name: lab, switches: [{ name: 'switch', prefix: '172.16.0.0/16' }], hosts };
  await bringUp(definition, { say: () => {}, signal: new AbortController().signal });
  try {
    return await Promise.all(hosts.map((host) => setUp(new TestHost(engine, lab, host, options), options)));
  } catch (error) {
    await bringDown(lab);
    throw error;
  }
}

async function setUp(host: TestHost, options: HostOptions): Promise<TestHost> {
  if (host.engine === 'dockerd' && options.daemon !== false) await startDockerd(host, options);
  for (const image of options.images ?? []) await host.load(image);
  return host;
}

/** Starts Debian's dockerd, whose files are all inside the host. */
async function startDockerd(host: TestHost, options: HostOptions): Promise<void> {
  const folders = ['--data-root', host.dataFolder, '--exec-root', '/run/docker', '-p', '/run/docker.pid'];
  const bip = options.bip === undefined ? [] : ['--bip', options.bip];
  const command = ['dockerd', ...folders, '-H', `unix://${socket}`, ...bip, ...(options.daemonOptions ?? [])];
  await host.run(['sh', '-c', 'setsid --fork "$@" > /run/dockerd.log 2>&1', 'sh', ...command], {
    environment: { PATH: `${process.env['PATH']}:/usr/sbin:/sbin` },
  });
  await until(async () => (await host.tryDocker('version')).status === 0, 'dockerd answers');
}

/** Waits until a condition holds; fails after a timeout that only a hang exceeds. */
export async function until(holds: () => boolean | Promise<boolean>, what: string, timeoutMs = 60_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`timed out: ${what}`);
    await pause(50);
  }
}
