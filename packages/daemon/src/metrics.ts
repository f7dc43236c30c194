/** Connects the metrics with what they measure, and opens their listener. Loaded only where they are switched on. */
import type { Server } from 'node:http';
import { type Logger, systemClock, urlHost } from '@netyard/core';
import type { DaemonInfo, HandledRequest } from '@netyard/docker-api';
import type { Engine } from '@netyard/engine';
import type { Kernel } from '@netyard/kernel';
import {
  Activity,
  createMetricsServer,
  type EngineFacts,
  type MetricsSources,
  Scraper,
  timeNetworks,
} from '@netyard/metrics';
import type { Networks } from '@netyard/sandbox';
import { listenForBrowsers } from './listen.ts';
import type { MetricsAddress } from './metrics-address.ts';

/** What the figures are read from. */
export interface MeasuredEngine {
  engine: Engine;
  networks: Networks;
  kernel: Kernel;
  readUsage: MetricsSources['readUsage'];
  info: DaemonInfo;
  cgroupParent: string;
  logger: Logger;
}

export interface OpenedMetrics {
  /** Such as `http://127.0.0.1:9323/metrics`. */
  address: string;
  close(): Promise<void>;
}

/** Counts from the daemon's start on. The first three are called by the packages that they are passed to. */
export interface Measuring {
  noteApply(seconds: number): void;
  noteDnsAnswer(rcode: number): void;
  noteHandled(request: HandledRequest): void;
  /** The same networks, with their actions measured. */
  time(networks: Networks): Networks;
  open(address: MetricsAddress, measured: MeasuredEngine): Promise<OpenedMetrics>;
}

export function startMeasuring(): Measuring {
  const activity = new Activity();
  return {
    noteApply: (seconds) => activity.noteApply(seconds),
    noteDnsAnswer: (rcode) => activity.noteDnsAnswer(rcode),
    noteHandled: (request) => activity.noteRequest(request),
    time(networks) {
      networks.events(({ repaired = [] }) => activity.noteRepairs(repaired));
      return timeNetworks(networks, (action, seconds) => activity.noteNetwork(action, seconds));
    },
    open: (address, measured) => openListener(address, { ...measured, activity }),
  };
}

async function openListener(
  address: MetricsAddress,
  measured: MeasuredEngine & { activity: Activity },
): Promise<OpenedMetrics> {
  const { engine, info, logger } = measured;
  const scraper = new Scraper({
    ...measured,
    listContainers: () => engine.containers.list({ all: true, limit: 0, size: false, filters: new Map() }),
    engineCounters: () => engine.counters(),
    facts: factsOf(info),
    clock: systemClock,
  });
  const names = address.isLoopback ? { names: [info.hostname] } : {};
  const make = (): Server => createMetricsServer({ scrape: () => scraper.scrape(), logger, ...names });
  const listener = await listenForBrowsers(make, address, undefined);
  const url = `http://${urlHost(address.host || '0.0.0.0')}:${listener.port}/metrics`;
  if (!address.isLoopback)
    logger.warn('the metrics have no access control: every host that reaches their address can read them', {
      address: url,
    });
  return { address: url, close: () => listener.close() };
}

/** Names of Go's architectures, as dockerd has them. */
const architectures: Readonly<Record<string, string>> = { x86_64: 'amd64', aarch64: 'arm64' };

const factsOf = (info: DaemonInfo): EngineFacts => ({
  version: info.version,
  commit: info.commit,
  architecture: architectures[info.machine] ?? info.machine,
  graphDriver: 'overlay2',
  kernel: info.kernelVersion,
  os: info.operatingSystem,
  osVersion: info.osVersion,
  daemonId: info.id,
  cpus: info.cpus,
  memoryBytes: info.memoryBytes,
});
