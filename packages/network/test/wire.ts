/** Commands and servers inside namespaces of a test's own host. Everything ends with that host. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';

export const sh = (command: string): string =>
  execFileSync('sh', ['-c', command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

const inside = (ns: string | undefined, args: string[]): [string, string[]] =>
  ns === undefined ? [args[0] ?? '', args.slice(1)] : ['nsenter', [`--net=${ns}`, ...args]];

/** Exit code 0 or not. */
export function succeeds(ns: string | undefined, ...args: string[]): boolean {
  const [command, rest] = inside(ns, args);
  return spawnSync(command, rest, { stdio: 'ignore', timeout: 5000 }).status === 0;
}

export const pings = (ns: string | undefined, address: string): boolean =>
  succeeds(ns, 'ping', '-c', '1', '-W', '1', address);

/** What the server at the other end answers; '' when there is no answer within a second. */
export function ask(
  ns: string | undefined,
  protocol: 'tcp' | 'udp',
  address: string,
  port: number,
  options = '',
): string {
  const target = `${protocol === 'tcp' ? 'TCP4' : 'UDP4'}:${address}:${port}${options}`;
  const [command, rest] = inside(ns, [
    'socat',
    '-T',
    '1',
    '-t',
    '1',
    '-',
    `${target}${protocol === 'tcp' ? ',connect-timeout=1' : ''}`,
  ]);
  const result = spawnSync(command, rest, { encoding: 'utf8', input: 'hello\n', timeout: 5000 });
  return result.stdout.trim();
}

/** A server that answers with `NAME ADDRESS-OF-CLIENT`. Resolves once it listens; ends with the test's host. */
export async function serve(
  ns: string | undefined,
  protocol: 'tcp' | 'udp',
  port: number,
  name: string,
  { program = `SYSTEM:echo ${name} $SOCAT_PEERADDR; cat >/dev/null`, bind = '' } = {},
): Promise<void> {
  const listen = `${protocol === 'tcp' ? 'TCP4' : 'UDP4'}-LISTEN:${port},fork,reuseaddr${bind === '' ? '' : `,bind=${bind}`}`;
  const [command, rest] = inside(ns, ['socat', listen, program]);
  spawn(command, rest, { stdio: 'ignore' }).unref();
  const [ss, options] = inside(ns, ['ss', '-Hln', `--${protocol}`, 'sport', '=', `:${port}`]);
  for (let attempt = 0; attempt < 100; attempt += 1) {
    if (execFileSync(ss, options, { encoding: 'utf8' }) !== '') return;
    await setTimeout(20);
  }
  throw new Error(`${name} does not listen`);
}

/** A neighbouring host: namespace `name`, address 192.0.2.N/24, on one wire with this host's `up0` (192.0.2.1). */
export function addUplink(): void {
  sh('ip link add up0 type bridge && ip address add 192.0.2.1/24 dev up0 && ip link set up0 up');
}

export function addNeighbour(name: string, number: number): string {
  sh(`ip netns add ${name} && ip link add n-${name} type veth peer name eth0 netns ${name}`);
  sh(`ip link set n-${name} master up0 up && ip -n ${name} link set lo up && ip -n ${name} link set eth0 up`);
  sh(`ip -n ${name} address add 192.0.2.${number}/24 dev eth0`);
  return `/run/netns/${name}`;
}

/** Waits for what the kernel or the mender brings about; fails after two seconds. */
export async function eventually(what: string, holds: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    if (holds()) return;
    await setTimeout(20);
  }
  assert.fail(what);
}
