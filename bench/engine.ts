/**
 * The two compared engines: Netyard's daemon in one lab host, Debian's dockerd in another. The same docker CLI and the
 * same HTTP client use both, through the paths of their sockets outside of the hosts.
 */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { execInHost, findHost, type HostHandle, hostLayout } from '@netyard/lab';

const run = promisify(execFile);

export interface Engine {
  name: 'netyard' | 'dockerd';
  handle: HostHandle;
  /** Path of the API socket outside of the host. */
  socket: string;
}

const insideSocket = { netyard: '/run/netyard/netyard.sock', dockerd: '/run/dockerd/docker.sock' } as const;

/** The engine of a lab host, whose default name is the engine's. */
export function engineIn(lab: string, name: Engine['name'], host: string = name): Engine {
  const handle = findHost(`${lab}/${host}`);
  return { name, handle, socket: `/proc/${handle.init.pid}/root${insideSocket[name]}` };
}

/** The definition of a lab with one host for each engine. */
export const engineLab = (name: string): string => `
name: ${name}
switch: 172.30.0.0/16
hosts:
  netyard: { address: 172.30.0.1/16 }
  dockerd: { address: 172.30.0.2/16, daemon: false }
`;

/** The engines of such a lab, running and with the test image. */
export async function openEngines(
  lab: string,
  archive: string,
  names: readonly Engine['name'][] = ['netyard', 'dockerd'],
): Promise<Engine[]> {
  const engines = names.map((name) => engineIn(lab, name));
  for (const engine of engines) await setUpEngine(engine, archive);
  return engines;
}

/** Starts the engine if necessary and loads the test image. */
export async function setUpEngine(engine: Engine, archive: string): Promise<void> {
  if (engine.name === 'dockerd') await startDockerd(engine);
  await docker(engine, 'load', '-q', '-i', archive);
}

/**
 * Starts dockerd in its host unless it runs, and waits until it answers. It writes only to folders of that host. Its
 * data root is that of a lab host's daemon, so both engines write to the same disk. (A lab host's /run is in memory.)
 */
async function startDockerd(engine: Engine): Promise<void> {
  if (existsSync(engine.socket) && (await answers(engine.socket))) return;
  const { data } = hostLayout(engine.handle.lab, engine.handle.host);
  const flags = ['--data-root', data, '--exec-root', '/run/dockerd/exec', '--pidfile', '/run/dockerd/pid'];
  const script = [
    'set -e',
    'mkdir -p /run/dockerd',
    `setsid dockerd -H unix://${insideSocket.dockerd} ${flags.join(' ')} > /run/dockerd/log 2>&1 &`,
  ].join('\n');
  const started = execInHost(engine.handle, ['sh', '-c', script], {
    environment: process.env,
    folder: '/',
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  await new Promise((resolve) => started.once('exit', resolve));
  for (let attempt = 0; attempt < 600; attempt += 1) {
    if (existsSync(engine.socket) && (await answers(engine.socket))) return;
    await pause(50);
  }
  const log = readFileSync(`/proc/${engine.handle.init.pid}/root/run/dockerd/log`, 'utf8');
  throw new Error(`dockerd did not answer within 30 s:\n${log.split('\n').slice(-10).join('\n')}`);
}

const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });

/** Runs the docker CLI against one engine. @returns its output */
export async function docker(engine: Engine, ...args: string[]): Promise<string> {
  const { stdout } = await run('docker', args, {
    env: { ...process.env, DOCKER_HOST: `unix://${engine.socket}` },
    maxBuffer: 1 << 24,
  });
  return stdout.trim();
}

/** Runs a shell command in which `docker` uses this engine. */
export async function shell(engine: Engine, line: string): Promise<void> {
  const env = { ...process.env, DOCKER_HOST: `unix://${engine.socket}` };
  await run('bash', ['-o', 'pipefail', '-c', line], { env });
}

/** One API call on a new connection, as the CLI makes it. Throws for a status of 300 or more. */
export function api(engine: Engine, method: string, path: string, body?: unknown): Promise<string> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers =
      text === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) };
    const sent = request(
      { socketPath: engine.socket, method, path: `/v1.41${path}`, headers, agent: false },
      (answer) => {
        let received = '';
        answer.on('data', (data) => {
          received += String(data);
        });
        answer.on('end', () => {
          if ((answer.statusCode ?? 500) < 300) resolve(received);
          else reject(new Error(`${engine.name}: ${method} ${path}: ${answer.statusCode} ${received}`));
        });
      },
    );
    sent.on('error', reject);
    sent.end(text);
  });
}

/**
 * The time of a POST on a new connection until the head of its answer arrived, in ms. Its bytes are made before, and only
 * the status is read: little of it is the client's own time. Throws for a status of 300 or more.
 */
export function timePost(engine: Engine, path: string, body: unknown): Promise<number> {
  const text = JSON.stringify(body);
  const head = [
    `POST /v1.41${path} HTTP/1.1`,
    'Host: localhost',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(text)}`,
    'Connection: close',
  ];
  const bytes = Buffer.from(`${head.join('\r\n')}\r\n\r\n${text}`);
  return new Promise((resolve, reject) => {
    const start = performance.now();
    let received = '';
    const socket = connect(engine.socket, () => socket.write(bytes));
    socket.setEncoding('latin1').on('data', (data) => {
      received += data;
      if (!received.includes('\r\n\r\n')) return;
      const ms = performance.now() - start;
      socket.destroy();
      if (/^HTTP\/1\.1 2\d\d /.test(received)) resolve(ms);
      else reject(new Error(`${engine.name}: POST ${path}: ${received}`));
    });
    socket.once('error', reject);
    socket.once('end', () => reject(new Error(`${engine.name}: POST ${path}: no answer`)));
  });
}

/**
 * Memory of the engine, in MiB: the proportional set size (smaps_rollup, proc(5)) of the processes of the host, except
 * those in containers and the host's own init processes.
 */
export function engineMemory(engine: Engine): number {
  const own = readlinkSync(`/proc/${engine.handle.init.pid}/ns/pid`);
  const sizes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => processMemory(pid, own, isEngine));
  return sizes.reduce((sum, size) => sum + size, 0) / 1024;
}

/** Memory of the host's `netyard daemon` alone, in MiB. */
export const daemonMemory = (handle: HostHandle): number =>
  processMemory(String(daemonPid(handle)), readlinkSync(`/proc/${handle.init.pid}/ns/pid`), () => true) / 1024;

/** Process id of the host's `netyard daemon`, outside of the host. */
export function daemonPid(handle: HostHandle): number {
  const own = readlinkSync(`/proc/${handle.init.pid}/ns/pid`);
  const pid = readdirSync('/proc').find((name) => /^\d+$/.test(name) && isDaemon(name, own));
  if (pid === undefined) throw new Error(`${handle.host}: no daemon runs`);
  return Number(pid);
}

function isDaemon(pid: string, pidNamespace: string): boolean {
  try {
    if (readlinkSync(`/proc/${pid}/ns/pid`) !== pidNamespace) return false;
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return command.some((argument) => /\/(daemon-main\.ts|daemon\.cjs)$/.test(argument));
  } catch {
    return false; // the process ended meanwhile
  }
}

/** CPU time of the engine's running processes, in seconds, except those in containers. */
export function engineCpu(engine: Engine): number {
  const own = readlinkSync(`/proc/${engine.handle.init.pid}/ns/pid`);
  const ticks = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => processTicks(pid, own));
  return ticks.reduce((sum, count) => sum + count, 0) / ticksPerSecond;
}

/** USER_HZ, the same on every architecture that Netyard runs on; see proc(5). */
const ticksPerSecond = 100;

function processTicks(pid: string, pidNamespace: string): number {
  try {
    if (readlinkSync(`/proc/${pid}/ns/pid`) !== pidNamespace || !isEngine(pid)) return 0;
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(fields[11]) + Number(fields[12]); // utime and stime
  } catch {
    return 0; // the process ended meanwhile
  }
}

function isEngine(pid: string): boolean {
  const command = readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  return command !== 'tini' && command !== 'sleep';
}

function processMemory(pid: string, pidNamespace: string, isCounted: (pid: string) => boolean): number {
  try {
    if (readlinkSync(`/proc/${pid}/ns/pid`) !== pidNamespace || !isCounted(pid)) return 0;
    const size = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1];
    return Number(size ?? 0);
  } catch {
    return 0; // the process ended meanwhile
  }
}
