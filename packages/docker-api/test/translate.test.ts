/** Translation between Docker's JSON and the engine's values. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ContainerInspect, type FieldTable, hostConfig, type Output, placedFields } from '@netyard/api-types';
import { isNetyardError, shortId } from '@netyard/core';
import { jsonPieces } from '../src/http/json-pieces.ts';
import { readFilters, readTimestamp } from '../src/http/query.ts';
import { foldReference } from '../src/http/router.ts';
import { containerCreateSchema } from '../src/schemas/bodies.ts';
import { schemaOf } from '../src/schemas/schema-of.ts';
import { encodeFrame } from '../src/stream/stdcopy.ts';
import { translateContainerCreate } from '../src/translate/container-create.ts';
import { translateContainerInspect } from '../src/translate/container-inspect.ts';
import { translateContainerSummary } from '../src/translate/container-summary.ts';
import { translateDiskUsage } from '../src/translate/disk-usage.ts';
import { encodeEvent } from '../src/translate/event.ts';
import { parseBind } from '../src/translate/mounts.ts';
import { parsePortKey } from '../src/translate/ports.ts';
import { translateStats } from '../src/translate/stats.ts';
import { containerId, details, second, someConfig, someRecord, someSummary, someTime } from './fake-engine.ts';

const before52 = { major: 1, minor: 51 };
const newest = { major: 1, minor: 52 };
const inspected = (changes: Partial<typeof details> = {}) =>
  translateContainerInspect({ ...details, ...changes }, before52) as ContainerInspect;

const create = (body: object, minor = 50) =>
  translateContainerCreate(containerCreateSchema.parse(body), { major: 1, minor }, { init: false });

const refused = (message: string | RegExp) => (error: unknown) =>
  isNetyardError(error) && (typeof message === 'string' ? error.message === message : message.test(error.message));

test('the docker CLI’s create request for the tutorial’s run becomes the engine’s request', () => {
  // docker run -d --name nginx-2 --link nginx-1 -p 8802:80 nginx-web02 nginx, CLI 28.2, shortened
  const { config, warnings } = create({
    Hostname: '',
    Domainname: '',
    User: '',
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    ExposedPorts: { '80/tcp': {} },
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Env: null,
    Cmd: ['nginx'],
    Image: 'nginx-web02',
    Volumes: {},
    WorkingDir: '',
    Entrypoint: null,
    OnBuild: null,
    Labels: {},
    HostConfig: {
      Binds: null,
      LogConfig: { Type: '', Config: {} },
      NetworkMode: 'bridge',
      PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '8802' }] },
      RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
      ConsoleSize: [0, 0],
      Dns: [],
      ShmSize: 0,
      OomKillDisable: false,
      PidsLimit: 0,
      MaskedPaths: null,
    },
    NetworkingConfig: { EndpointsConfig: { default: { MacAddress: '' } } },
  });
  assert.deepEqual(warnings, []);
  assert.deepEqual(config.networkMode, { kind: 'bridge' });
  assert.deepEqual(config.ports, [{ protocol: 'tcp', containerPort: 80, hostPort: 8802 }]);
  assert.deepEqual(config.exposed, [{ protocol: 'tcp', port: 80 }]);
  assert.deepEqual([config.command, config.entrypoint], [['nginx'], undefined]);
  assert.deepEqual(config.endpoints, [{ network: 'bridge' }]);
  assert.equal(config.consoleSize, undefined);
});

test('missing fields have zero values, and a command may be one string', () => {
  const { config } = create({ Image: 'a', Cmd: 'ls', HostConfig: null });
  assert.deepEqual([config.command, config.env, config.networkModeText], [['ls'], [], 'bridge']);
  assert.deepEqual(config.restartPolicy, { name: 'no', maximumRetryCount: 0 });
});

test('ports: ranges, protocols and host addresses are parsed, invalid ones rejected with Docker’s messages', () => {
  const ports = (bindings: object) => create({ Image: 'a', HostConfig: { PortBindings: bindings } }).config.ports;
  assert.deepEqual(ports({ '53/udp': [{ HostIp: '127.0.0.1', HostPort: '5300-5310' }], '80': [{}] }), [
    { protocol: 'tcp', containerPort: 80 },
    { protocol: 'udp', containerPort: 53, hostAddress: '127.0.0.1', hostPort: 5300, hostPortEnd: 5310 },
  ]);
  assert.deepEqual(ports({ '80/tcp': null }), []);
  assert.deepEqual(parsePortKey('80-81/sctp'), [
    { protocol: 'sctp', port: 80 },
    { protocol: 'sctp', port: 81 },
  ]);
  assert.throws(() => ports({ '80/tcp': [{ HostPort: '99999' }] }), refused('invalid port specification: "99999"'));
  assert.throws(() => ports({ 'a/tcp': [{}] }), refused('invalid port specification: "a"'));
  assert.throws(() => ports({ '80/icmp': [{}] }), refused('invalid proto: icmp'));
});

test('binds: every form of -v is parsed', () => {
  const base = { source: '/a', target: '/b', readOnly: false, type: 'bind', createSource: true };
  assert.deepEqual(parseBind('/a:/b'), base);
  assert.deepEqual(parseBind('/a:/b:ro,rshared,z'), {
    ...base,
    readOnly: true,
    propagation: 'rshared',
    mode: 'ro,rshared,z',
  });
  assert.deepEqual(parseBind('data:/b:nocopy'), {
    type: 'volume',
    source: 'data',
    target: '/b',
    readOnly: false,
    noCopy: true,
    mode: 'nocopy',
  });
  assert.throws(() => parseBind('/a:/b:rw:x'), refused("invalid volume specification: '/a:/b:rw:x'"));
  assert.throws(() => parseBind('/a:b'), refused(/mount path must be absolute/));
  assert.throws(() => parseBind('/a:/b:odd'), refused('invalid mode: odd'));
  assert.throws(() => parseBind('./a:/b'), refused(/If you intended to pass a host directory, use absolute path$/));
  assert.throws(() => parseBind('/a:/'), refused(/destination can't be '\/'/));
});

test('several endpoints need API 1.44', () => {
  const body = { Image: 'a', NetworkingConfig: { EndpointsConfig: { b: {}, a: null } } };
  assert.equal(create(body).config.endpoints.length, 2);
  assert.throws(() => create(body, 43), refused('Container cannot be created with multiple network endpoints: a, b'));
});

test('a container becomes a row of docker ps', () => {
  const row = translateContainerSummary(someSummary);
  assert.deepEqual(
    { ...row, NetworkSettings: Object.keys(row.NetworkSettings.Networks) },
    {
      Id: containerId,
      Names: ['/nginx-2', '/nginx-3/web2'],
      Image: 'nginx-web01',
      ImageID: someRecord.imageId,
      Command: "nginx -g 'daemon off;'",
      Created: 1_795_464_000,
      Ports: [{ IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8801, Type: 'tcp' }],
      Labels: { tier: 'web' },
      State: 'running',
      Status: 'Up 5 minutes',
      HostConfig: { NetworkMode: 'bridge' },
      NetworkSettings: ['bridge'],
      Mounts: [],
    },
  );
});

test('docker inspect', () => {
  const shown = inspected();
  assert.deepEqual([shown.Name, shown.Path, shown.Args], ['/nginx-2', 'nginx', ['-g', 'daemon off;']]);
  assert.equal(shown.Created, '2026-11-23T20:00:00.000000000Z');
  assert.deepEqual([shown.State.Status, shown.State.Running, shown.State.Pid], ['running', true, 77]);
  assert.equal(shown.State.FinishedAt, '0001-01-01T00:00:00Z');
  assert.deepEqual(shown.HostConfig.PortBindings, { '80/tcp': [{ HostIp: '', HostPort: '8801' }] });
  assert.deepEqual(shown.NetworkSettings.Ports, { '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '8801' }] });
  assert.equal(shown.NetworkSettings.IPAddress, '172.17.0.3');
  assert.equal(shown.NetworkSettings.SandboxKey, '/run/netns/ny-1');
  assert.equal(shown.NetworkSettings.Networks['bridge']?.MacAddress, '02:42:ac:11:00:03');
  assert.equal(shown.GraphDriver.Data['LowerDir'], '/l1:/l2');
  assert.equal(shown.Config.Hostname, 'c045c82e85bd');
  assert.ok(shown.HostConfig.MaskedPaths?.includes('/proc/kcore'));
});

test('inspect shows a requested MAC address with the configuration, wherever the request had it', () => {
  const macOf = (network: string, networkModeText: string): string | undefined => {
    const endpoints = [{ network: 'other' }, { network, macAddress: '02:42:ac:11:00:09' }];
    const config = { ...someRecord.config, endpoints, networkModeText };
    return inspected({ record: { ...someRecord, config } }).Config.MacAddress;
  };
  for (const mode of ['', 'default', 'bridge']) assert.equal(macOf('bridge', mode), '02:42:ac:11:00:09');
  assert.equal(macOf('back', 'back'), '02:42:ac:11:00:09');
  assert.equal(macOf('back', 'other'), undefined);
});

test('docker inspect of a stopped container shows configured endpoints; of a shared network, none', () => {
  const exited = { ...someRecord, state: { ...someRecord.state, status: 'exited' as const } };
  const shown = inspected({ record: exited, network: undefined });
  assert.deepEqual(shown.NetworkSettings.Ports, {});
  assert.deepEqual(Object.keys(shown.NetworkSettings.Networks), ['bridge']);
  assert.equal(shown.NetworkSettings.IPAddress, '');
  const config = { ...someConfig, networkMode: { kind: 'container' as const, ref: 'x' } };
  const shared = inspected({ record: { ...exited, config }, network: undefined });
  assert.deepEqual([shared.NetworkSettings.Networks, shared.Config.Hostname], [{}, shortId(exited.id)]);
});

test('inspect shows what create was given', () => {
  const HostConfig = {
    Binds: ['/srv:/srv:ro'],
    Tmpfs: { '/run': 'size=1m' },
    Mounts: [{ Type: 'volume', Source: 'data', Target: '/data', ReadOnly: true }],
    Memory: 8_388_608,
    CapAdd: ['NET_ADMIN'],
    ExtraHosts: ['a:1.2.3.4'],
    Ulimits: [{ Name: 'nofile', Soft: 10, Hard: 20 }],
    Init: true,
  };
  const { config } = create({ Image: 'a', HostConfig });
  const shown = inspected({ record: { ...someRecord, config } }).HostConfig;
  const kept = Object.fromEntries(Object.keys(HostConfig).map((key) => [key, shown[key as keyof typeof shown]]));
  assert.deepEqual(kept, HostConfig);
});

test('inspect shows zeros, empty objects and keys of ports as create was given them', () => {
  const Mounts = [
    { Type: 'bind', Source: '/a', Target: '/b', BindOptions: {} },
    { Type: 'bind', Source: '/a', Target: '/c', ReadOnly: true, BindOptions: { ReadOnlyNonRecursive: true } },
    { Type: 'volume', Source: 'data', Target: '/d', VolumeOptions: {} },
    { Type: 'tmpfs', Target: '/e', TmpfsOptions: {} },
    { Type: 'tmpfs', Target: '/f' },
  ];
  const endpoints = { front: { IPAMConfig: {}, Aliases: [], DriverOpts: {} }, back: { IPAMConfig: null } };
  const body = {
    ...{
      Image: 'a',
      StopTimeout: 0,
      ExposedPorts: { 9999: {}, '53/UDP': {}, '80-81/tcp': {} },
      HostConfig: { Mounts, Init: false },
    },
    NetworkingConfig: { EndpointsConfig: endpoints },
  };
  const { config } = translateContainerCreate(containerCreateSchema.parse(body), newest, { init: false });
  const state = config.endpoints.map((one) => ({ config: one, networkId: '' }));
  const shown = inspected({ record: { ...someRecord, config }, network: undefined, endpoints: state });
  assert.deepEqual([shown.HostConfig.Mounts, shown.HostConfig.Init], [Mounts, false]);
  assert.deepEqual([shown.HostConfig.CpuRealtimePeriod, shown.HostConfig.CpuRealtimeRuntime], [0, 0]);
  const { StopTimeout, Labels, ExposedPorts } = shown.Config;
  assert.deepEqual(
    { StopTimeout, Labels, ExposedPorts },
    { StopTimeout: 0, Labels: {}, ExposedPorts: body.ExposedPorts },
  );
  const { front, back } = shown.NetworkSettings.Networks;
  assert.deepEqual([front?.IPAMConfig, front?.Aliases, front?.DriverOpts], [{}, [], {}]);
  assert.deepEqual([back?.IPAMConfig, back?.Aliases, back?.DriverOpts], [null, null, null]);
});

test('events keep all digits of their time', () => {
  const event = { type: 'container', action: 'start', actorId: 'c', attributes: { image: 'i' } } as const;
  const line = encodeEvent({ ...event, time: someTime + 1n }, before52);
  assert.match(line, /"status":"start","id":"c","from":"i","Type":"container"/);
  assert.match(line, /"time":1795464000,"timeNano":1795464000000000001\}\n$/);
});

test('statistics of a stopped container have a zero time', () => {
  const reading = {
    id: 'c',
    name: 'n',
    read: someTime + second,
    metrics: undefined,
    systemCpu: 1,
    onlineCpus: 2,
    networks: {},
  };
  const shown = translateStats(reading, undefined, before52);
  assert.deepEqual([shown.name, shown.read, shown.memory_stats], ['/n', '0001-01-01T00:00:00Z', {}]);
});

test('API 1.52 omits deprecated fields, and fields of images without a value', () => {
  const { NetworkSettings, Config } = translateContainerInspect(details, newest);
  assert.deepEqual(Object.keys(NetworkSettings), ['SandboxID', 'SandboxKey', 'Ports', 'Networks']);
  assert.ok(!('OnBuild' in Config));
  const event = {
    type: 'container',
    action: 'start',
    actorId: 'c',
    attributes: { image: 'i' },
    time: someTime,
  } as const;
  assert.match(encodeEvent(event, newest), /^\{"Type":"container","Action":"start"/);
  const body = { Image: 'a', HostConfig: { PortBindings: { '80/tcp': [], '81/tcp': [{ HostPort: '8081' }] } } };
  const ports = [{ protocol: 'tcp', containerPort: 81, hostPort: 8081 }];
  assert.deepEqual([create(body).config.ports, create(body).warnings], [ports, []]);
  assert.deepEqual(create(body, 52).warnings, [
    'Container ports with an empty list of port bindings are not published: 80/tcp',
  ]);
  assert.throws(
    () => create({ Image: 'a', MacAddress: '02:00:00:00:00:01' }, 52),
    refused('container-wide MAC address no longer supported; use endpoint-specific MAC address instead'),
  );
});

test('disk usage has a summary of each kind since API 1.52, with the objects if verbose', () => {
  const usage = {
    layersSize: 100,
    images: [],
    containers: [{ ...someSummary, sizes: { writable: 7, total: 9 } }],
    volumes: [],
  };
  const shown = (version: typeof newest, verbose: boolean) =>
    JSON.parse([...jsonPieces(translateDiskUsage(usage, (kind) => kind !== 'volume', { version, verbose }))].join(''));
  assert.deepEqual(Object.keys(shown(before52, true)), ['LayersSize', 'Images', 'Containers', 'Volumes', 'BuildCache']);
  const { LayersSize, ContainerUsage, ImageUsage, VolumeUsage } = shown(newest, false);
  assert.deepEqual([LayersSize, VolumeUsage], [100, undefined]);
  assert.deepEqual(ContainerUsage, { ActiveCount: 1, TotalCount: 1, TotalSize: 7 });
  assert.deepEqual(ImageUsage, { Reclaimable: 100, TotalSize: 100 });
  const verbose = shown(newest, true);
  assert.deepEqual([verbose.LayersSize, verbose.ContainerUsage.Items.length], [undefined, 1]);
});

test('filters have two forms, timestamps may have fractions', () => {
  const read = (text: string) => readFilters(new URLSearchParams({ filters: text }));
  assert.deepEqual(read('{"status":["a","b"]}'), new Map([['status', ['a', 'b']]]));
  assert.deepEqual(read('{"status":{"a":true,"b":false}}'), new Map([['status', ['a', 'b']]]));
  assert.deepEqual(read('{"status":null}'), new Map([['status', []]]));
  assert.deepEqual(read('null'), new Map());
  assert.throws(() => read('{'), refused(/invalid filter/));
  assert.throws(() => read('{"a":1}'), refused(/invalid filter/));
  const time = (since: string) => readTimestamp(new URLSearchParams({ since }), 'since');
  assert.deepEqual(
    [time('1.5'), time('-1.5'), time('0'), time('')],
    [1_500_000_000n, -1_500_000_000n, undefined, undefined],
  );
  assert.throws(() => time('yesterday'), refused(/is not a time/));
});

test('references with slashes become one path segment', () => {
  assert.equal(foldReference('GET', '/images/r:5000/a/b:1/json'), '/images/r:5000%2Fa%2Fb:1/json');
  assert.equal(foldReference('DELETE', '/containers/nginx-3/web1'), '/containers/nginx-3%2Fweb1');
  assert.equal(foldReference('DELETE', '/containers//nginx-3/web1'), '/containers/nginx-3%2Fweb1');
  assert.equal(foldReference('GET', '/containers/json'), '/containers/json');
  assert.equal(foldReference('POST', '/exec/a/start'), '/exec/a/start');
  assert.equal(foldReference('GET', '/networks/a/b'), '/networks/a%2Fb');
  assert.equal(foldReference('POST', '/networks/a/b/connect'), '/networks/a%2Fb/connect');
});

test('frames have a stream number and a length', () => {
  const frame = encodeFrame({ stream: 'stderr', data: Buffer.from('abc') });
  assert.deepEqual([...frame], [2, 0, 0, 0, 0, 0, 0, 3, 97, 98, 99]);
});

/** A value other than zero, for any shape. */
function someValue({ kind, item, fields }: FieldTable[string]['shape']): unknown {
  if (kind === 'text') return 'x';
  if (kind === 'whole') return 7;
  if (kind === 'flag') return true;
  if (kind === 'list') return item ? [someValue(item)] : [];
  if (kind === 'map') return item ? { k: someValue(item) } : {};
  if (kind === 'object') return someBody(fields ?? {});
  return kind === 'size' ? [1, 2] : kind === 'keys' ? { '80/tcp': {} } : ['x'];
}
const someBody = (fields: FieldTable): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, someValue(field.shape)]));

/** Fields that need a valid value. */
const special: Record<string, unknown> = {
  Mounts: [{ Type: 'bind', Source: '/a', Target: '/b', BindOptions: { NonRecursive: true } }],
  Binds: ['/a:/c'],
  PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8080' }] },
  RestartPolicy: { Name: 'always', MaximumRetryCount: 0 },
  Isolation: 'default',
  // A privileged container has no masked paths.
  Privileged: false,
};

test('every supported field of HostConfig that create takes is shown by inspect', () => {
  const supported = Object.entries(hostConfig as FieldTable).filter(([, { status }]) => status === undefined);
  const table: FieldTable = Object.fromEntries(supported);
  const HostConfig = { ...someBody(table), ...special };
  assert.ok(placedFields(table).length > 70);
  const body = containerCreateSchema.parse({ Image: 'a', HostConfig });
  const { config } = translateContainerCreate(body, { major: 1, minor: 51 }, { init: false });
  assert.deepEqual(config.links, ['x']);
  const record = { ...someRecord, config };
  const shown = inspected({ record, linkTexts: config.links, ports: config.ports }).HostConfig;
  const read = schemaOf(table).parse(shown) as Output<FieldTable>;
  const asked = schemaOf(table).parse(HostConfig) as Output<FieldTable>;
  for (const name of Object.keys(table)) assert.deepEqual(read[name], asked[name], name);
});
