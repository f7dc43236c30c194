/** Commands and servers inside namespaces of a test's own host. Everything ends with that host. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';

export const sh = (command: string): string =>
  execFileSync('sh', ['-c', command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

const inside = (ns: string | undefined, args: string[]): [string, string[]] =>
  ns === undefined ? [args[0] ?? '', args.slice(1)] : ['nsenter', [`--net=${ns}`, ...args]];

/** Seconds that only a hang exceeds. */
const patience = 60;

/** Exit code 0 or not. */
export function succeeds(ns: string | undefined, ...args: string[]): boolean {
  const [command, rest] = inside(ns, args);
  return spawnSync(command, rest, { stdio: 'ignore', timeout: 2 * patience * 1000 }).status === 0;
}

/** An answer comes, however long it takes: for what must be reachable. */
export const pings = (ns: string | undefined, address: string, ...options: string[]): boolean =>
  succeeds(ns, 'ping', '-c', '1', '-w', `${patience}`, ...options, address);

/** The answer to one packet comes within a second: for what must not be reachable, and for `eventually`. */
export const pingsBriefly = (ns: string | undefined, address: string, ...options: string[]): boolean =>
  succeeds(ns, 'ping', '-c', '1', '-W', '1', ...options, address);

/** What the TCP server at the other end answers, however long it takes: for what must be reachable. */
export const ask = (ns: string | undefined, protocol: 'tcp', address: string, port: number, options = ''): string =>
  askFor(patience, ns, protocol, address, port, options);

/** '' when there is no answer within a second: for what must not be reachable, and for `eventually`. */
export const askBriefly = (
  ns: string | undefined,
  protocol: 'tcp' | 'udp',
  address: string,
  port: number,
  options = '',
): string => askFor(1, ns, protocol, address, port, options);

function askFor(
  seconds: number,
  ns: string | undefined,
  protocol: 'tcp' | 'udp',
  address: string,
  port: number,
  options: string,
): string {
  const connecting =
    protocol === 'tcp' ? `TCP4:${address}:${port},connect-timeout=${seconds}` : `UDP4:${address}:${port}`;
  const waiting = ['-T', `${seconds}`, '-t', `${seconds}`];
  const [command, rest] = inside(ns, ['socat', ...waiting, '-', `${connecting}${options}`]);
  const timeout = 4 * patience * 1000;
  return spawnSync(command, rest, { encoding: 'utf8', input: 'hello\n', timeout }).stdout.trim();
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
  // The client ends its side at once: without -t the program would have half a second to answer.
  const [command, rest] = inside(ns, ['socat', '-t', `${patience}`, listen, program]);
  spawn(command, rest, { stdio: 'ignore' }).unref();
  const [ss, options] = inside(ns, ['ss', '-Hln', `--${protocol}`, 'sport', '=', `:${port}`]);
  await eventually(`${name} listens`, () => execFileSync(ss, options, { encoding: 'utf8' }) !== '');
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

/** Waits for what the kernel or the repair brings about; fails after a while that only a hang exceeds. */
export async function eventually(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + patience * 1000;
  while (!holds()) {
    if (performance.now() > deadline) assert.fail(what);
    await setTimeout(20);
  }
}
