/** Objects of the fake daemon: two containers, images, networks, a volume. Times are relative to now. */
import type { ServerResponse } from 'node:http';
import { type FakeDaemon, frame, refuse } from './fake-daemon.ts';

const web = `c045c82e85bd${'0'.repeat(52)}`;
const db = `23813883ed97${'1'.repeat(52)}`;
const nginx = `sha256:d1877cad5f0a${'2'.repeat(52)}`;
const bridge = `7fca4eb8c647${'3'.repeat(52)}`;
const ago = (seconds: number): number => Math.trunc(Date.now() / 1000) - seconds;

const endpoint = {
  IPAMConfig: null,
  Aliases: null,
  MacAddress: '02:42:ac:11:00:02',
  DriverOpts: null,
  GwPriority: 0,
  NetworkID: bridge,
  EndpointID: 'e'.repeat(64),
  Gateway: '172.17.0.1',
  IPAddress: '172.17.0.2',
  IPPrefixLen: 16,
  IPv6Gateway: '',
  GlobalIPv6Address: '',
  GlobalIPv6PrefixLen: 0,
  DNSNames: null,
};

const containers = [
  {
    Id: web,
    Names: ['/web', '/db/frontend'],
    Image: 'nginx:latest',
    ImageID: nginx,
    Command: "/docker-entrypoint.sh nginx -g 'daemon off;'",
    Created: ago(125),
    Ports: [
      { IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8801, Type: 'tcp' },
      { IP: '::', PrivatePort: 80, PublicPort: 8801, Type: 'tcp' },
      { IP: '127.0.0.1', PrivatePort: 53, PublicPort: 53, Type: 'udp' },
      { PrivatePort: 9000, Type: 'tcp' },
      { PrivatePort: 9001, Type: 'tcp' },
      { IP: '0.0.0.0', PrivatePort: 7000, PublicPort: 7000, Type: 'tcp' },
      { IP: '0.0.0.0', PrivatePort: 7001, PublicPort: 7001, Type: 'tcp' },
    ],
    Labels: { role: 'front' },
    State: 'running',
    Status: 'Up 2 minutes',
    HostConfig: { NetworkMode: 'default' },
    NetworkSettings: { Networks: { bridge: endpoint } },
    Mounts: [
      {
        Type: 'volume',
        Name: 'a-volume-with-a-long-name',
        Source: '',
        Destination: '/d',
        Driver: 'local',
        Mode: 'z',
        RW: true,
        Propagation: '',
      },
      { Type: 'bind', Source: '/srv', Destination: '/srv', Mode: '', RW: true, Propagation: 'rprivate' },
    ],
    SizeRw: 12345,
    SizeRootFs: 187654321,
  },
  {
    Id: db,
    Names: ['/db'],
    Image: 'd1877cad5f0a',
    ImageID: nginx,
    Command: 'sleep\t"1"\nü',
    Created: ago(86400 * 20),
    Ports: [],
    Labels: {},
    State: 'exited',
    Status: 'Exited (0) 2 hours ago',
    HostConfig: { NetworkMode: 'none' },
    NetworkSettings: { Networks: { none: { ...endpoint, IPAddress: '' } } },
    Mounts: [],
    SizeRw: 0,
    SizeRootFs: 0,
  },
];

const images = [
  {
    Containers: 2,
    Created: ago(3600 * 5),
    Id: nginx,
    Labels: null,
    ParentId: '',
    RepoDigests: [`nginx@sha256:${'4'.repeat(64)}`],
    RepoTags: ['nginx:latest', 'nginx:1.29'],
    SharedSize: 1000,
    Size: 187654321,
  },
  {
    Containers: 0,
    Created: ago(86400 * 400),
    Id: `sha256:5${'5'.repeat(63)}`,
    Labels: null,
    ParentId: '',
    RepoDigests: [],
    RepoTags: [],
    SharedSize: 0,
    Size: 999,
  },
];

const network = (name: string, driver: string, id: string): Record<string, unknown> => ({
  Name: name,
  Id: id,
  Created: '2026-11-23T20:31:07.123456789Z',
  Scope: 'local',
  Driver: driver,
  EnableIPv4: true,
  EnableIPv6: false,
  IPAM: {
    Driver: 'default',
    Options: null,
    Config: driver === 'bridge' ? [{ Subnet: '172.17.0.0/16', Gateway: '172.17.0.1' }] : [],
  },
  Internal: false,
  Attachable: false,
  Ingress: false,
  ConfigFrom: { Network: '' },
  ConfigOnly: false,
  Containers: {},
  Options: {},
  Labels: name === 'net10' ? { b: '2' } : {},
});

const volume = {
  CreatedAt: '2026-11-23T20:31:07Z',
  Driver: 'local',
  Labels: null,
  Mountpoint: '/var/lib/netyard/volumes/data/_data',
  Name: 'data',
  Options: null,
  Scope: 'local',
  UsageData: { RefCount: 1, Size: 4096 },
};

const state = {
  Status: 'running',
  Running: true,
  Paused: false,
  Restarting: false,
  OOMKilled: false,
  Dead: false,
  Pid: 4711,
  ExitCode: 0,
  Error: '',
  StartedAt: '2026-11-23T20:31:07.123456789Z',
  FinishedAt: '0001-01-01T00:00:00Z',
};

/** Fields in Go's order: `inspect` prints them unchanged. */
const inspected = {
  Id: web,
  Created: '2026-11-23T20:31:06.5Z',
  Path: 'nginx',
  Args: ['-g', 'daemon off;'],
  State: state,
  Image: nginx,
  ResolvConfPath: '/r',
  HostnamePath: '/n',
  HostsPath: '/h',
  LogPath: '/l',
  Name: '/web',
  RestartCount: 0,
  Driver: 'overlay2',
  Platform: 'linux',
  MountLabel: '',
  ProcessLabel: '',
  AppArmorProfile: '',
  ExecIDs: null,
  HostConfig: { NetworkMode: 'default', Binds: ['/srv:/srv:ro'], Memory: 268435456 },
  GraphDriver: { Data: {}, Name: 'overlay2' },
  Mounts: [],
  Config: {
    Hostname: 'c045c82e85bd',
    Tty: false,
    OpenStdin: false,
    Env: ['PATH=/bin', 'A=<b>&c'],
    Cmd: ['nginx', '-g', 'daemon off;'],
    Image: 'nginx',
    Labels: { role: 'front' },
  },
  NetworkSettings: {
    Ports: {
      '80/tcp': [
        { HostIp: '0.0.0.0', HostPort: '8801' },
        { HostIp: '::', HostPort: '8801' },
      ],
      '53/udp': [{ HostIp: '127.0.0.1', HostPort: '53' }],
      '9000/tcp': null,
    },
    IPAddress: '172.17.0.2',
    Networks: { bridge: endpoint },
  },
};

const cpu = (total: number, system: number): Record<string, unknown> => ({
  cpu_usage: { total_usage: total, usage_in_kernelmode: 1, usage_in_usermode: 2 },
  system_cpu_usage: system,
  online_cpus: 2,
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
});

const stats = {
  name: '/web',
  id: web,
  read: '2026-11-23T20:31:08Z',
  preread: '2026-11-23T20:31:07Z',
  num_procs: 0,
  pids_stats: { current: 3, limit: 100 },
  blkio_stats: {
    io_service_bytes_recursive: [
      { major: 8, minor: 0, op: 'read', value: 4096 },
      { major: 8, minor: 0, op: 'write', value: 1234567 },
    ],
  },
  storage_stats: {},
  cpu_stats: cpu(5_000_000_000, 100_000_000_000),
  precpu_stats: cpu(4_750_000_000, 98_000_000_000),
  memory_stats: { usage: 33_554_432, stats: { inactive_file: 1_000_000 }, limit: 8_000_000_000 },
  networks: {
    eth0: {
      rx_bytes: 1500,
      rx_packets: 1,
      rx_errors: 0,
      rx_dropped: 0,
      tx_bytes: 999,
      tx_packets: 1,
      tx_errors: 0,
      tx_dropped: 0,
    },
  },
};

const event = {
  status: 'start',
  id: web,
  from: 'nginx',
  Type: 'container',
  Action: 'start',
  Actor: { ID: web, Attributes: { image: 'nginx', name: 'web' } },
  scope: 'local',
  time: 1763929867,
};

/** timeNano has more digits than a number in JavaScript. */
const eventLine = `${JSON.stringify(event).slice(0, -1)},"timeNano":1763929867123456789}\n`;

const history = [
  {
    Id: nginx,
    Created: ago(3600),
    CreatedBy: 'CMD ["nginx" "-g" "daemon off;"] and something that is rather long',
    Tags: ['nginx:latest'],
    Size: 0,
    Comment: 'buildkit.dockerfile.v0',
  },
  {
    Id: '<missing>',
    Created: ago(86400 * 3),
    CreatedBy: '/bin/sh -c #(nop)\tADD file:1 in / ',
    Tags: null,
    Size: 77_000_000,
    Comment: '',
  },
];

const image = {
  Id: nginx,
  RepoTags: ['nginx:latest'],
  Created: '2026-11-23T20:31:07Z',
  Size: 187654321,
  Architecture: 'amd64',
  Os: 'linux',
};

export function fixtures({ answers }: FakeDaemon): void {
  const missing = refuse(404, 'No such container: missing');
  const none = (kind: string, name: string): unknown => refuse(404, `No such ${kind}: ${name}`);
  const set = (key: string, answer: unknown): void => void answers.set(key, answer);
  set('GET /containers/json', containers);
  for (const ref of ['web', web]) {
    set(`GET /containers/${ref}/json`, inspected);
    set(`GET /containers/${ref}/stats`, stats);
    set(`GET /containers/${ref}/logs`, (_request: unknown, response: ServerResponse) => {
      response.write(frame('stdout', 'one\ntwo'));
      response.end(frame('stderr', 'problem\n'));
    });
    for (const verb of ['start', 'stop', 'restart', 'kill', 'pause', 'unpause', 'rename', 'resize']) {
      set(`POST /containers/${ref}/${verb}`, null);
    }
    set(`POST /containers/${ref}/update`, { Warnings: ['a warning'] });
    set(`POST /containers/${ref}/wait`, { StatusCode: 137 });
    set(`DELETE /containers/${ref}`, null);
    set(`POST /containers/${ref}/exec`, { Id: 'x1' });
  }
  set(`GET /containers/${db}/stats`, {
    ...stats,
    name: '/db',
    id: db,
    read: '0001-01-01T00:00:00Z',
    networks: undefined,
  });
  set('DELETE /containers/web/db', null);
  set('GET /containers/web/top', {
    Titles: ['UID', 'PID', 'CMD'],
    Processes: [
      ['root', '4711', 'nginx: master'],
      ['101', '4712', 'nginx: worker'],
    ],
  });
  set('GET /containers/web/changes', [
    { Path: '/tmp', Kind: 0 },
    { Path: '/tmp/a', Kind: 1 },
    { Path: '/etc/b', Kind: 2 },
  ]);
  set('POST /exec/x1/start', null);
  set('GET /exec/x1/json', { ID: 'x1', Running: false, ExitCode: 7 });
  for (const verb of ['json', 'logs']) set(`GET /containers/missing/${verb}`, missing);
  for (const verb of ['start', 'stop', 'wait', 'exec', 'rename']) set(`POST /containers/missing/${verb}`, missing);
  set('DELETE /containers/missing', missing);
  set('GET /images/json', images);
  set('GET /images/nginx/json', image);
  set('GET /images/nginx/history', history);
  set('POST /images/nginx/tag', null);
  set('DELETE /images/nginx', [{ Untagged: 'nginx:latest' }, { Deleted: nginx }]);
  set('DELETE /images/missing', none('image', 'missing:latest'));
  set('GET /images/missing/json', none('image', 'missing:latest'));
  const networks = [
    network('net10', 'bridge', 'd'.repeat(64)),
    network('net2', 'bridge', 'f'.repeat(64)),
    network('bridge', 'bridge', bridge),
    network('host', 'host', 'a'.repeat(64)),
    network('none', 'null', 'b'.repeat(64)),
  ];
  set('GET /networks', networks);
  set('GET /networks/bridge', networks[2]);
  for (const name of ['none-such', 'missing']) {
    set(`GET /networks/${name}`, refuse(404, `network ${name} not found`));
    set(`GET /volumes/${name}`, refuse(404, `get ${name}: no such volume`));
  }
  // Requests of `inspect` after these.
  set('GET /info', { Swarm: { LocalNodeState: 'inactive' } });
  set('GET /plugins/missing/json', refuse(404, 'plugin "missing" not found'));
  set('DELETE /networks/own', null);
  set('DELETE /networks/missing', refuse(404, 'network missing not found'));
  set('POST /networks/own/connect', null);
  set('POST /networks/own/disconnect', null);
  set('POST /networks/create', { Id: bridge, Warning: '' });
  set('GET /volumes', { Volumes: [{ ...volume, Name: 'z10' }, { ...volume, Name: 'z9' }, volume], Warnings: null });
  set('GET /volumes/data', volume);
  set('POST /volumes/create', volume);
  set('DELETE /volumes/data', null);
  set('POST /containers/prune', { ContainersDeleted: [db], SpaceReclaimed: 12345 });
  set('POST /images/prune', { ImagesDeleted: [{ Untagged: 'a:b' }, { Deleted: nginx }], SpaceReclaimed: 5_000_000 });
  set('POST /volumes/prune', { VolumesDeleted: ['data'], SpaceReclaimed: 1 });
  set('POST /networks/prune', { NetworksDeleted: ['own'] });
  set('GET /system/df', {
    LayersSize: 187655320,
    Images: images,
    Containers: containers,
    Volumes: [volume, { ...volume, Name: 'idle', UsageData: { Size: 4000, RefCount: 0 } }],
    BuildCache: [],
    BuilderSize: 0,
  });
  set('GET /events', (_request: unknown, response: ServerResponse) => void response.end(eventLine));
}
