/** An engine with only the methods that a test defines; any other call fails the test. */
import { NetyardError, silentLogger } from '@netyard/core';
import {
  type ContainerConfig,
  type ContainerDetails,
  type ContainerRecord,
  type ContainerSummary,
  type Engine,
  type OutputChunk,
  plainConfig,
} from '@netyard/engine';
import type { Networks } from '@netyard/sandbox';
import type { ApiOptions } from '../src/options.ts';

type Services = 'containers' | 'exec' | 'images' | 'volumes' | 'networks' | 'events' | 'system';
export type FakeEngine = { [Service in Services]?: Partial<Engine[Service]> };

function strict<T extends object>(name: string, methods: Partial<T> | undefined): T {
  return new Proxy((methods ?? {}) as T, {
    get(target, key) {
      const found: unknown = Reflect.get(target, key);
      if (found === undefined) throw new NetyardError('internal', `the test has no ${name}.${String(key)}`);
      return found;
    },
  });
}

export function fakeOptions(services: FakeEngine, networks: Partial<Networks> = {}): ApiOptions {
  const engine: Engine = {
    containers: strict('containers', services.containers),
    exec: strict('exec', services.exec),
    images: strict('images', services.images),
    volumes: strict('volumes', services.volumes),
    networks: strict('networks', services.networks),
    events: strict('events', services.events),
    build() {
      throw new NetyardError('internal', 'the test has no build');
    },
    noteRequest: () => undefined,
    counters: () => ({ events: 0, eventSubscribers: 0, healthChecks: 0, failedHealthChecks: 0 }),
    system: strict('system', services.system),
    start: async () => {},
    stop: async () => {},
  };
  return {
    engine,
    networks: strict<Networks>('networks', networks),
    info: {
      version: '0.1.0',
      commit: 'abc',
      buildTime: '',
      nodeVersion: '26.0.0',
      id: 'id-of-the-daemon',
      hostname: 'host-1',
      kernelVersion: '6.18',
      operatingSystem: 'Debian GNU/Linux 12 (bookworm)',
      osVersion: '12',
      machine: 'x86_64',
      cpus: 2,
      memoryBytes: 1024,
      debug: false,
      labels: [],
      liveRestore: true,
      loggingDriver: 'json-file',
      insecureRegistries: ['10.0.0.0/8', 'r:5000'],
      registryMirrors: [],
      containerdNamespace: 'netyard',
      initBinary: '',
      initByDefault: false,
      ipv4Forwarding: () => true,
    },
    shell: {
      printPlan: (plan) => `# ${plan.owner}\n`,
      printObject: (object) => `make ${object.kind}`,
      printOperations: (operations) => `${operations.length} operations\n`,
      printOperation: (operation) => `${operation.action} ${operation.object.kind}`,
      describe: (object) => object.kind,
    },
    login: async (_domain, { username }) => {
      if (username !== 'known') throw new NetyardError('unauthorized', 'unauthorized: incorrect username or password');
    },
    tracePeer: async () => {
      throw new Error('no peers');
    },
    openFlow: async () => {
      throw new Error('no traces');
    },
    capturePeer: async () => {
      throw new NetyardError('internal', 'the test has no peers');
    },
    logger: silentLogger,
  };
}

export const second = 1_000_000_000n;
/** 2026-11-23T20:00:00Z */
export const someTime = 1_795_464_000n * second;

export const someConfig: ContainerConfig = plainConfig('nginx-web01', {
  command: ['nginx', '-g', 'daemon off;'],
  env: ['PATH=/bin'],
  workingDirectory: '/',
  labels: { tier: 'web' },
  attachStdout: false,
  attachStderr: false,
  exposed: [{ protocol: 'tcp', port: 80 }],
  ports: [{ protocol: 'tcp', containerPort: 80, hostPort: 8801 }],
  links: ['nginx-1:web1'],
  shmSize: 67_108_864,
  ipcMode: 'private',
  cgroupnsMode: 'host',
  logDriver: 'json-file',
});

export const containerId = 'c045c82e85bd'.padEnd(64, '0');

export const someRecord: ContainerRecord = {
  id: containerId,
  name: 'nginx-2',
  created: someTime,
  config: someConfig,
  imageId: `sha256:${'1'.repeat(64)}`,
  layers: [],
  process: { args: ['nginx', '-g', 'daemon off;'], env: ['PATH=/bin'], workingDirectory: '/', user: '' },
  mounts: [],
  state: {
    status: 'running',
    pid: 77,
    exitCode: 0,
    error: '',
    oomKilled: false,
    startedAt: someTime + second,
    finishedAt: undefined,
    restartCount: 0,
    stoppedByUser: false,
  },
};

export const someSummary: ContainerSummary = {
  record: someRecord,
  names: ['/nginx-2', '/nginx-3/web2'],
  statusText: 'Up 5 minutes',
  network: {
    id: 'sandbox-1',
    netnsPath: '/run/netns/ny-1',
    files: { hosts: '/x/hosts', hostname: '/x/hostname', resolvConf: '/x/resolv.conf' },
    endpoints: [
      {
        id: 'endpoint-1',
        networkId: 'network-1',
        networkName: 'bridge',
        link: 'eth0',
        hostLink: 'nyc1',
        mac: '02:42:ac:11:00:03',
        addresses: { v4: { address: '172.17.0.3', prefixLength: 16, gateway: '172.17.0.1' } },
        aliases: [],
        dnsNames: [],
        config: { network: 'bridge' },
      },
    ],
    ports: [{ protocol: 'tcp', containerPort: 80, hostAddress: '0.0.0.0', hostPort: 8801 }],
  },
  endpoints: [{ networkId: 'network-1', config: { network: 'bridge' } }],
  ports: someConfig.ports,
};

export const details: ContainerDetails = {
  ...someSummary,
  linkTexts: ['/nginx-1:/nginx-2/web1'],
  logPath: '/x/log',
  hostnamePath: '/x/hostname',
  hostsPath: '/x/hosts',
  resolvConfPath: '/x/resolv.conf',
  execIds: [],
  overlay: { lower: ['/l1', '/l2'], upper: '/u', work: '/w', merged: '/m' },
};

export async function* chunks(...texts: [OutputChunk['stream'], string][]): AsyncGenerator<OutputChunk> {
  for (const [stream, text] of texts) yield { stream, data: Buffer.from(text) };
}
