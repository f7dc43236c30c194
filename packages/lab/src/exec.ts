/** Runs a command inside a lab host, as if the user had logged in there. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { spawnInPidNamespace } from '@netyard/kernel';
import { leafFiles, readHierarchies } from './cgroups.ts';
import { hostLayout, netyardProgram, socketInside } from './layout.ts';
import type { ProcessIdentity } from './process-table.ts';

export interface HostHandle {
  lab: string;
  host: string;
  init: ProcessIdentity;
}

const namespaces = ['cgroup', 'ipc', 'uts', 'net', 'mnt'];

/**
 * Enters the host's cgroups, then its namespaces, then the caller's working directory (or / when the host does not have
 * it), then executes the command. Each step execs the next, so that the command is our own child: its signals and exit
 * code reach us unchanged.
 */
const enterScript = [
  'for file in $NETYARD_LAB_CGROUPS; do echo 0 > "$file"; done',
  'unset NETYARD_LAB_CGROUPS',
  'exec "$@"',
].join('\n');
const insideScript = ['cd "$NETYARD_LAB_FOLDER" 2> /dev/null || cd /', 'unset NETYARD_LAB_FOLDER', 'exec "$@"'].join(
  '\n',
);

/** Options of nsenter(1) for the namespaces of a process; the PID namespace is entered by spawning in it. */
function nsenterArguments(pid: number): string[] {
  const option: Readonly<Record<string, string>> = { mnt: 'mount' };
  return namespaces.map((name) => `--${option[name] ?? name}=/proc/${pid}/ns/${name}`);
}

/** Variables that would direct a client to another daemon than the host's. */
const misleading = ['DOCKER_CONTEXT', 'DOCKER_TLS_VERIFY', 'DOCKER_CERT_PATH', 'CONTAINERD_ADDRESS'];

export function environmentInside(handle: HostHandle, outside: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(outside).filter(([name]) => !misleading.includes(name));
  return {
    ...Object.fromEntries(kept),
    // Last, so that `netyard` is found when it is not installed, and no other program changes.
    PATH: `${outside['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin'}:${dirname(netyardProgram)}`,
    DOCKER_HOST: `unix://${socketInside}`,
    NETYARD_HOST: `unix://${socketInside}`,
    NETYARD_LAB: handle.lab,
    NETYARD_LAB_HOST: handle.host,
  };
}

export interface ExecOptions {
  environment: NodeJS.ProcessEnv;
  folder: string;
  stdio: SpawnOptions['stdio'];
  /** In a new session, detached from the caller's terminal. */
  detached?: boolean;
}

/** Starts `command` in the host; exit code and signals are those of the command itself. */
export function execInHost(handle: HostHandle, command: readonly string[], options: ExecOptions): ChildProcess {
  const cgroups = leafFiles(readHierarchies(), hostLayout(handle.lab, handle.host).cgroup);
  const inside = ['sh', '-c', insideScript, 'sh', ...command];
  const enter = ['sh', '-c', enterScript, 'sh', 'nsenter', ...nsenterArguments(handle.init.pid), '--', ...inside];
  const [program = 'sh', ...args] = enter;
  return spawnInPidNamespace(handle.init.pid, () =>
    spawn(program, args, {
      cwd: '/',
      stdio: options.stdio,
      detached: options.detached ?? false,
      env: {
        ...environmentInside(handle, options.environment),
        NETYARD_LAB_CGROUPS: cgroups.join(' '),
        NETYARD_LAB_FOLDER: options.folder,
      },
    }),
  );
}
