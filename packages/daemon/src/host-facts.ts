/** The facts about this host and daemon in `docker info` and `docker version`; read once, at start. */
import { randomUUID } from 'node:crypto';
import { readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { availableParallelism, hostname, machine, release, totalmem } from 'node:os';
import { join } from 'node:path';
import type { DaemonInfo } from '@netyard/docker-api';
import { z } from 'zod';
import type { DaemonConfig } from './config.ts';

const packageSchema = z.object({ version: z.string() });

/** Version of the whole project: its package.json. */
export function readVersion(): string {
  const path = join(import.meta.dirname, '../package.json');
  return packageSchema.parse(JSON.parse(readFileSync(path, 'utf8'))).version;
}

export function readHostFacts(config: DaemonConfig): DaemonInfo {
  const system = readOsRelease();
  return {
    version: readVersion(),
    commit: '',
    buildTime: '',
    nodeVersion: process.versions.node,
    id: readDaemonId(config.dataRoot),
    hostname: hostname(),
    kernelVersion: release(),
    operatingSystem: system['PRETTY_NAME'] ?? 'Linux',
    osVersion: system['VERSION_ID'] ?? '',
    machine: machine(),
    cpus: availableParallelism(),
    memoryBytes: totalmem(),
    debug: config.logLevel === 'debug',
    labels: [...config.labels],
    liveRestore: config.liveRestore,
    loggingDriver: config.logDriver,
    insecureRegistries: [...config.insecureRegistries],
    registryMirrors: [],
    containerdNamespace: config.containerdNamespace,
    initBinary: '',
    initByDefault: config.init,
    ipv4Forwarding: () => readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').trim() === '1',
  };
}

/** os-release(5): NAME=value, quoted or not. */
function readOsRelease(): Record<string, string> {
  try {
    const lines = readFileSync('/etc/os-release', 'utf8').matchAll(/^(\w+)=["']?(.*?)["']?$/gm);
    return Object.fromEntries([...lines].map((line) => [line[1] ?? '', line[2] ?? '']));
  } catch {
    return {}; // without the file the host is still Linux
  }
}

/** Created once for a data root. */
export function readDaemonId(dataRoot: string): string {
  const path = join(dataRoot, 'engine-id');
  try {
    const id = readFileSync(path, 'utf8').trim();
    if (id !== '') return id;
  } catch {
    // the first start
  }
  const id = randomUUID();
  writeFileSync(path, `${id}\n`, { mode: 0o600 });
  return id;
}

/**
 * Maximum number of connections per listener: clients must never use up the descriptors that containers need. Node
 * raises the soft limit to the hard one when it starts.
 */
export function planConnections(limits: string): { unixConnections: number; tcpConnections: number } {
  const hard = Number(/^Max open files +\S+ +(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
  return {
    unixConnections: Math.min(16_384, Math.floor(hard / 2)),
    tcpConnections: Math.min(1_024, Math.floor(hard / 8)),
  };
}

export const readProcessLimits = (): string => readFileSync('/proc/self/limits', 'utf8');

const CGROUP2_SUPER_MAGIC = 0x63677270; // <linux/magic.h>

/** Hybrid hosts, with version 2 beside the controllers, count as version 1. */
export function readCgroupVersion(): '1' | '2' {
  return statfsSync('/sys/fs/cgroup').type === CGROUP2_SUPER_MAGIC ? '2' : '1';
}
