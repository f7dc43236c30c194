/** Generates JSON bodies that the routes accept, and mutates them. Pure except for the given random source. */
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

function hostConfig(random: Random): Json {
  const all: Record<string, Json> = {
    NetworkMode: random.pick([...networkNames, 'default', 'container:c0']),
    PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: String(random.below(70_000)) }] },
    Binds: [`${random.pick(volumeNames)}:/data:ro`],
    Mounts: [{ Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 65_536 } }],
    Memory: 16_777_216,
    NanoCpus: 500_000_000,
    CapAdd: ['NET_ADMIN'],
    CapDrop: ['ALL'],
    Dns: ['127.0.0.1'],
    ExtraHosts: ['a:127.0.0.1'],
    Links: [`${random.pick(containerNames)}:alias`],
    RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 1 },
    Tmpfs: { '/run': 'size=65536' },
    Ulimits: [{ Name: 'nofile', Soft: 64, Hard: 64 }],
    Sysctls: { 'net.ipv4.ip_forward': '1' },
    LogConfig: { Type: 'json-file', Config: { 'max-size': '1m' } },
    ReadonlyRootfs: true,
    AutoRemove: true,
    Init: true,
    ShmSize: 65_536,
    IpcMode: 'private',
    VolumesFrom: [random.pick(containerNames)],
    SecurityOpt: ['no-new-privileges'],
  };
  return Object.fromEntries(Object.entries(all).filter(() => random.chance(0.15)));
}

function container(random: Random): Json {
  const all: Record<string, Json> = {
    Env: ['A=b', 'C'],
    Labels: { a: 'b' },
    Tty: true,
    OpenStdin: true,
    User: random.pick(['root', '1', '1:1', 'daemon']),
    WorkingDir: '/w',
    ExposedPorts: { '80/tcp': {} },
    Volumes: { '/v': {} },
    Healthcheck: { Test: ['CMD', 'true'], Interval: 1_000_000_000 },
    Entrypoint: ['/bin/busybox'],
    StopSignal: 'SIGKILL',
    Hostname: 'h',
    NetworkingConfig: { EndpointsConfig: { bridge: { Aliases: ['x'] } } },
  };
  const optional = Object.fromEntries(Object.entries(all).filter(() => random.chance(0.2)));
  return { Image: 'netyard-test', Cmd: random.pick(commands), ...optional, HostConfig: hostConfig(random) };
}

const subnet = (random: Random): string => `10.${200 + random.below(8)}.${random.below(4)}.0/24`;

const bodies: Readonly<Record<string, (random: Random) => Json>> = {
  '/containers/create': container,
  '/containers/:id/update': () => ({ Memory: 33_554_432, RestartPolicy: { Name: 'no' } }),
  '/containers/:id/exec': (random) => ({ Cmd: random.pick(commands), AttachStdout: true, Tty: random.chance(0.5) }),
  '/exec/:id/start': (random) => ({ Detach: random.chance(0.5), Tty: random.chance(0.5) }),
  '/networks/create': (random) => ({
    Name: random.pick(networkNames),
    IPAM: { Config: [{ Subnet: subnet(random) }] },
    Options: { 'com.docker.network.bridge.enable_icc': 'true' },
  }),
  '/networks/:id/connect': (random) => ({
    Container: random.pick(containerNames),
    EndpointConfig: { Aliases: ['a'], IPAMConfig: { IPv4Address: '10.200.0.9' } },
  }),
  '/networks/:id/disconnect': (random) => ({ Container: random.pick(containerNames), Force: true }),
  '/volumes/create': (random) => ({ Name: random.pick(volumeNames), Labels: { a: 'b' }, DriverOpts: {} }),
  '/auth': () => ({ username: 'u', password: 'p', serveraddress: registry }),
  '/netyard/v1/peers': (random) => ({ Name: 'p', Address: '172.16.2.200', Subnets: [subnet(random)], Via: 'auto' }),
  '/netyard/v1/cluster/release': text(['x', 'y']),
};

export const validBody = (path: string, random: Random): Json => bodies[path]?.(random) ?? {};

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
