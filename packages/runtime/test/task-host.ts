/** The environment of the task tests: a containerd of their own, a root file system with busybox, and a runtime. */

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId, silentLogger } from '@netyard/core';
import type { ExitStatus, RuntimeEvent, TaskSpec } from '@netyard/engine';
import { makeFifo, mount, openFifo } from '@netyard/kernel';
import {
  type ContainerdClient,
  type ContainerdSupervisor,
  connectContainerd,
  openRuntime,
  superviseContainerd,
} from '../src/index.ts';
import type { LostExitTimes } from '../src/tasks/lost-exits.ts';

export const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
export const cgroupParent = `/netyard-test-${process.pid}-${Date.now()}`;

export interface TaskHost {
  folder: string;
  rootfs: string;
  supervisor: ContainerdSupervisor;
  client: ContainerdClient;
  runtime: Awaited<ReturnType<typeof openRuntime>>;
  events: RuntimeEvent[];
  /** A task with busybox, its output in plain files. */
  spec(args: string[], more?: Partial<TaskSpec>): TaskSpec;
  output(id: string, stream?: 'stdout' | 'stderr'): string;
  /** Waits for the exit of a container's main process, or of an exec process. */
  exited(id: string, execId?: string): Promise<ExitStatus>;
  /** A new FIFO whose other end the test has: reading starts at once, writing when the shim has opened it. */
  fifo(name: string): TestFifo;
  /** Simulates another start of the daemon. */
  superviseAgain(): Promise<ContainerdSupervisor>;
  close(): Promise<void>;
}

export interface TestFifo {
  path: string;
  /** Writes all and closes. */
  write(text: string): Promise<void>;
  /** Waits until this was read. */
  until(text: string): Promise<void>;
  /** All content, when the last writer has closed it. */
  text(): Promise<string>;
}

/** Only inside `inFreshHost`: shims keep their sockets in /run/containerd, whichever containerd they belong to. */
export async function openTaskHost(runtimeName = '', lostExits?: LostExitTimes): Promise<TaskHost> {
  mkdirSync('/run/containerd', { recursive: true });
  mount({ source: 'tmpfs', target: '/run/containerd', type: 'tmpfs' });
  const folder = mkdtempSync(join(tmpdir(), 'netyard-tasks-'));
  const rootfs = join(folder, 'rootfs');
  await makeRootfs(rootfs);
  const supervise = () =>
    superviseContainerd({
      executable: 'containerd',
      root: join(folder, 'root'),
      state: join(folder, 'state'),
      socket: join(folder, 'containerd.sock'),
      logger: silentLogger,
      env: { PATH: searchPath },
    });
  const supervisor = await supervise();
  const client = connectContainerd({ socket: supervisor.socket, namespace: 'test' });
  const runtime = await openRuntime({
    client,
    ready: (timeoutMs) => supervisor.ready(timeoutMs),
    runtimeName,
    runtimeRoot: join(folder, 'oci'),
    searchPath,
    cgroupParent,
    own: { programs: join(folder, 'programs'), mounts: join(folder, 'mounts') },
    ...(lostExits ? { lostExits } : {}),
    logger: silentLogger,
  });
  const events: RuntimeEvent[] = [];
  const waiting = new Set<() => void>();
  runtime.events((event) => {
    events.push(event);
    for (const look of waiting) look();
  });
  const stdio = (id: string, stream: string): string => join(folder, `${id}-${stream}`);
  return {
    folder,
    rootfs,
    supervisor,
    client,
    runtime,
    events,
    spec(args, more = {}) {
      const id = more.id ?? newId();
      for (const stream of ['stdout', 'stderr']) writeFileSync(stdio(id, stream), '');
      return {
        ...plainSpec(id, rootfs, args),
        stdio: { stdin: '', stdout: stdio(id, 'stdout'), stderr: stdio(id, 'stderr') },
        ...more,
      };
    },
    output: (id, stream = 'stdout') => readFileSync(stdio(id, stream), 'utf8'),
    exited: (id, execId) =>
      new Promise((resolve) => {
        const look = (): void => {
          const event = events.find((one) => one.type === 'exit' && one.id === id && one.execId === execId);
          if (event?.type !== 'exit') return;
          waiting.delete(look);
          resolve(event.exit);
        };
        waiting.add(look);
        look();
      }),
    fifo: (name) => makeTestFifo(join(folder, name)),
    superviseAgain: supervise,
    async close() {
      await runtime.close();
      client.close();
      await supervisor.stop();
      removeCgroupParents();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function makeRootfs(rootfs: string): Promise<void> {
  for (const name of ['bin', 'etc', 'proc', 'sys', 'dev', 'tmp', 'root', 'sbin']) {
    mkdirSync(join(rootfs, name), { recursive: true });
  }
  await copyFile('/usr/bin/busybox', join(rootfs, 'bin/busybox'));
  const { stdout } = spawnSync('/usr/bin/busybox', ['--list'], { encoding: 'utf8' });
  for (const applet of stdout.split('\n').filter(Boolean)) {
    if (applet !== 'busybox') symlinkSync('busybox', join(rootfs, 'bin', applet));
  }
  writeFileSync(join(rootfs, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001:web:/srv/web:/bin/sh\n');
  writeFileSync(join(rootfs, 'etc/group'), 'root:x:0:\nweb:x:1001:\nlog:x:1002:web\nextra:x:1003:\n');
  writeFileSync(join(rootfs, 'etc/plain'), 'no program\n');
}

function plainSpec(id: string, rootPath: string, args: string[]): TaskSpec {
  return {
    id,
    rootPath,
    readOnlyRoot: false,
    args,
    env: [`PATH=${searchPath}`],
    workingDirectory: '/',
    user: '',
    groupAdd: [],
    tty: false,
    hostname: 'web1',
    domainname: '',
    mounts: [],
    shmSize: 0,
    netnsPath: undefined,
    pidNamespace: 'private',
    ipcNamespace: 'private',
    utsNamespace: 'private',
    cgroupNamespace: 'host',
    init: false,
    privileged: false,
    capAdd: [],
    capDrop: [],
    noNewPrivileges: false,
    seccomp: undefined,
    devices: [],
    sysctls: {},
    ulimits: [],
    oomScoreAdj: 0,
    resources: {},
    cgroupPath: `${cgroupParent}/${id}`,
    annotations: {},
    labels: {},
    runtimeName: '',
    stdio: { stdin: '', stdout: '', stderr: '' },
  };
}

function makeTestFifo(path: string): TestFifo {
  makeFifo(path);
  let read = '';
  let reader: Socket | undefined;
  const open = (): Socket => {
    const socket = new Socket({ fd: openFifo(path, 'read'), readable: true, writable: false });
    socket.on('data', (chunk) => {
      read += chunk.toString();
    });
    return socket;
  };
  if (!path.endsWith('in')) reader = open();
  const ended = reader ? once(reader, 'end') : undefined;
  return {
    path,
    async write(text) {
      const socket = new Socket({ fd: openFifo(path, 'write'), readable: false, writable: true });
      socket.end(text);
      await once(socket, 'close');
    },
    async until(text) {
      while (!read.includes(text)) await new Promise((resolve) => setTimeout(resolve, 5));
    },
    async text() {
      await ended;
      return read;
    },
  };
}

/** The content of a file of the container's cgroup, without the newline. */
export function cgroupFile(id: string, controller: string, file: { v1: string; v2: string }): string {
  const first = `/sys/fs/cgroup/${controller}${cgroupParent}/${id}/${file.v1}`;
  const path = existsSync(first) ? first : `/sys/fs/cgroup${cgroupParent}/${id}/${file.v2}`;
  return readFileSync(path, 'utf8').trim();
}

/** The parent groups of the containers', which the runtimes create and leave. */
function removeCgroupParents(): void {
  for (const controller of ['', ...readdirSync('/sys/fs/cgroup')]) {
    const folder = join('/sys/fs/cgroup', controller, cgroupParent);
    if (existsSync(folder)) rmdirSync(folder);
  }
}
