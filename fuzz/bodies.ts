/**
 * Generates JSON bodies that the routes accept, from the field tables of api-types, and mutates them. Pure except for the
 * given random source.
 */
import { type Field, type FieldTable, requestObjects, type Shape } from '@netyard/api-types';
import type { Random } from './random.ts';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Object names of a run: few, so that requests refer to each other's objects. */
export const containerNames = ['c0', 'c1', 'c2', 'c3'] as const;
export const networkNames = ['n0', 'n1', 'bridge', 'none', 'host'] as const;
export const volumeNames = ['v0', 'v1'] as const;
export const registry = '127.0.0.1:1';
export const imageNames = ['netyard-test', 'tagged:a', `${registry}/x/y:z`, 'nosuch'] as const;

const text = (names: readonly string[]) => (random: Random) => random.pick(names);

const commands: readonly Json[][] = [['true'], ['sleep', '1000'], ['cat'], ['echo', 'x'], ['nosuch']];

type Sample = (random: Random) => Json;

const subnet: Sample = (random) => `10.${200 + random.below(8)}.${random.below(4)}.0/24`;
const command: Sample = (random) => [...random.pick(commands)];
const fixed = (value: Json) => (): Json => value;

/** Valid values of fields, by path in the field tables of api-types; other fields get a value of their shape. */
const samples: Readonly<Record<string, Sample>> = {
  Image: fixed('netyard-test'),
  Cmd: command,
  Entrypoint: fixed(['/bin/busybox']),
  Env: fixed(['A=b', 'C']),
  ExposedPorts: fixed({ '80/tcp': {} }),
  Healthcheck: fixed({ Test: ['CMD', 'true'], Interval: 1_000_000_000 }),
  Hostname: fixed('h'),
  MacAddress: fixed('02:42:ac:11:00:09'),
  StopSignal: fixed('SIGKILL'),
  StopTimeout: fixed(1),
  User: (random) => random.pick(['root', '1', '1:1', 'daemon']),
  Volumes: fixed({ '/v': {} }),
  WorkingDir: fixed('/w'),
  DetachKeys: fixed('ctrl-p,ctrl-q'),
  ConsoleSize: fixed([24, 80]),
  Memory: fixed(33_554_432),
  RestartPolicy: fixed({ Name: 'no' }),
  Container: text(containerNames),
  EndpointConfig: fixed({ Aliases: ['a'], IPAMConfig: { IPv4Address: '10.200.0.9' } }),
  'NetworkingConfig.EndpointsConfig': fixed({ bridge: { Aliases: ['x'] } }),
  'HostConfig.Binds': (random) => [`${random.pick(volumeNames)}:/data:ro`],
  'HostConfig.CapAdd': fixed(['NET_ADMIN']),
  'HostConfig.CapDrop': fixed(['ALL']),
  'HostConfig.CpusetCpus': fixed('0'),
  'HostConfig.CpuShares': fixed(512),
  'HostConfig.Dns': fixed(['127.0.0.1']),
  'HostConfig.ExtraHosts': fixed(['a:127.0.0.1']),
  'HostConfig.GroupAdd': fixed(['1']),
  'HostConfig.IpcMode': fixed('private'),
  'HostConfig.Links': (random) => [`${random.pick(containerNames)}:alias`],
  'HostConfig.LogConfig': fixed({ Type: 'json-file', Config: { 'max-size': '1m' } }),
  'HostConfig.Memory': fixed(16_777_216),
  'HostConfig.Mounts': fixed([{ Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 65_536 } }]),
  'HostConfig.NanoCpus': fixed(500_000_000),
  'HostConfig.NetworkMode': (random) => random.pick([...networkNames, 'default', 'container:c0']),
  'HostConfig.PidsLimit': fixed(50),
  'HostConfig.PortBindings': (random) => ({
    '80/tcp': [{ HostIp: '127.0.0.1', HostPort: String(random.below(70_000)) }],
  }),
  'HostConfig.RestartPolicy': fixed({ Name: 'on-failure', MaximumRetryCount: 1 }),
  'HostConfig.SecurityOpt': fixed(['no-new-privileges']),
  'HostConfig.ShmSize': fixed(65_536),
  'HostConfig.Sysctls': fixed({ 'net.ipv4.ip_forward': '1' }),
  'HostConfig.Tmpfs': fixed({ '/run': 'size=65536' }),
  'HostConfig.Ulimits': fixed([{ Name: 'nofile', Soft: 64, Hard: 64 }]),
  'HostConfig.VolumeDriver': fixed('local'),
  'HostConfig.VolumesFrom': (random) => [random.pick(containerNames)],
};
const networkSamples: Readonly<Record<string, Sample>> = {
  Name: text(networkNames),
  IPAM: (random) => ({ Config: [{ Subnet: subnet(random) }] }),
  Options: fixed({ 'com.docker.network.bridge.enable_icc': 'true' }),
};
const volumeSamples: Readonly<Record<string, Sample>> = {
  Name: text(volumeNames),
  Driver: fixed('local'),
  DriverOpts: fixed({}),
};
const samplesOf = (path: string): Readonly<Record<string, Sample>> =>
  path === '/networks/create' ? networkSamples : path === '/volumes/create' ? volumeSamples : samples;

/** Fields without which a request is useless. */
const always: readonly string[] = ['Image', 'Cmd', 'HostConfig', 'Container', 'Name'];

const isRejected = ({ status }: Field): boolean => typeof status === 'object' && 'rejected' in status;

/** Fields with a sample are frequent, so that many requests succeed; rejected ones are rare. */
function likelihood(name: string, field: Field, hasSample: boolean): number {
  if (always.includes(name)) return 1;
  if (isRejected(field)) return 0.002;
  return hasSample || field.shape.kind === 'flag' ? 0.12 : 0.02;
}

function fieldsOf(table: FieldTable, known: Readonly<Record<string, Sample>>, random: Random, above = ''): Json {
  const chosen = Object.entries(table).filter(([name, field]) =>
    random.chance(likelihood(name, field, known[`${above}${name}`] !== undefined)),
  );
  const values = chosen.map(([name, { shape }]): [string, Json] => {
    const path = `${above}${name}`;
    return [name, known[path]?.(random) ?? valueOfShape(shape, known, random, path)];
  });
  return Object.fromEntries(values);
}

function valueOfShape(shape: Shape, known: Readonly<Record<string, Sample>>, random: Random, path: string): Json {
  const { kind, item, fields } = shape;
  const inner = (): Json => (item ? valueOfShape(item, known, random, `${path}[]`) : 'x');
  if (kind === 'object') return fieldsOf(fields ?? {}, known, random, `${path}.`);
  if (kind === 'list' || kind === 'words') return [inner()];
  if (kind === 'map') return { k: inner() };
  if (kind === 'flag') return random.chance(0.8);
  if (kind === 'whole') return random.pick([0, 1, 7, 65_536]);
  return kind === 'size' ? [24, 80] : kind === 'keys' ? { '80/tcp': {} } : 'x';
}

/** `POST /containers/{id}/exec` as the route `/containers/:id/exec`. */
const tables: ReadonlyMap<string, FieldTable> = new Map(
  requestObjects.map(({ request, fields }) => [request.replace('POST ', '').replaceAll(/\{(\w+)\}/g, ':$1'), fields]),
);

/** Bodies without a field table. */
const otherBodies: Readonly<Record<string, Sample>> = {
  '/auth': fixed({ username: 'u', password: 'p', serveraddress: registry }),
  '/netyard/v1/peers': (random) => ({ Name: 'p', Address: '172.16.2.200', Subnets: [subnet(random)], Via: 'auto' }),
  '/netyard/v1/cluster/release': (random) => ({ Host: random.pick(['x', 'y']) }),
};

export function validBody(path: string, random: Random): Json {
  const table = tables.get(path);
  return table ? fieldsOf(table, samplesOf(path), random) : (otherBodies[path]?.(random) ?? {});
}

const strange: readonly Json[] = [
  ...[null, true, 0, -1, 1.5, 1e300, 2 ** 53, '', ' ', 'a', '0', '-1', 'a:b:c', '../..', '%00', 'a\0b'],
  ...['\u001b[31m', '\ud800', 'ÄÖ漢', 'x'.repeat(300), 'x'.repeat(70_000), '999.1.1.1/99', '::1', '0/tcp', '1-9/udp'],
  ...[[], {}, [null], [[]], [''], { '': '' }, { ['__proto__']: 'x', constructor: 'y' }],
  ...['toString', '__proto__', 'container:', 'container:nosuch', '10h', '1e9', 'SIGNOSUCH', '"', "'; exit 1; '"],
];

/** Replaces or adds one value at a random place. */
export function mutate(value: Json, random: Random): Json {
  if (value === null || typeof value !== 'object' || random.chance(0.15)) return random.pick(strange);
  if (Array.isArray(value)) {
    if (value.length === 0 || random.chance(0.2)) return [...value, random.pick(strange)];
    const at = random.below(value.length);
    return value.map((item, index) => (index === at ? mutate(item, random) : item));
  }
  const keys = Object.keys(value);
  const key = keys.length === 0 || random.chance(0.1) ? String(random.pick(strange)) : keys[random.below(keys.length)];
  return key === undefined ? value : { ...value, [key]: mutate(value[key] ?? null, random) };
}

/** Changes, cuts or repeats bytes (one per character); the result is rarely valid JSON. */
export function corrupt(text: string, random: Random): string {
  const at = random.below(text.length + 1);
  const kinds: readonly (() => string)[] = [
    () => text.slice(0, at),
    () => text.slice(0, at) + String.fromCharCode(random.below(256)) + text.slice(at),
    () => text.slice(0, at) + text.slice(at + 1),
    () => text + text,
    () => '['.repeat(1 + random.below(20_000)),
    () => '',
  ];
  return random.pick(kinds)();
}
