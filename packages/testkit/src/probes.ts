/** Runs commands, probes and servers inside namespaces of the test host. Everything ends with that host. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { ipToBytes, parseIp } from '@netyard/core';

export const sh = (command: string): string =>
  execFileSync('sh', ['-c', command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

const inside = (ns: string | undefined, args: string[]): [string, string[]] =>
  ns === undefined ? [args[0] ?? '', args.slice(1)] : ['nsenter', [`--net=${ns}`, ...args]];

/** Seconds: exceeded only by a hang. */
const patience = 60;

/** Whether the command exits with status 0. */
export function succeeds(ns: string | undefined, ...args: string[]): boolean {
  const [command, rest] = inside(ns, args);
  return spawnSync(command, rest, { stdio: 'ignore', timeout: 2 * patience * 1000 }).status === 0;
}

/** Waits for an echo reply as long as needed: for addresses that must be reachable. */
export const pings = (ns: string | undefined, address: string, ...options: string[]): boolean =>
  succeeds(ns, 'ping', '-c', '1', '-w', `${patience}`, ...options, address);

/** Waits one second for one echo reply: for addresses that must be unreachable, and for `eventually`. */
export const pingsBriefly = (ns: string | undefined, address: string, ...options: string[]): boolean =>
  succeeds(ns, 'ping', '-c', '1', '-W', '1', ...options, address);

/** Returns the answer of the TCP server, however long it takes: for servers that must be reachable. */
export const ask = (ns: string | undefined, protocol: 'tcp', address: string, port: number, options = ''): string =>
  askFor(patience, ns, protocol, address, port, options);

/** Returns '' without an answer within a second: for servers that must be unreachable, and for `eventually`. */
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
  const to = address.includes(':') ? `6:[${address}]:${port}` : `4:${address}:${port}`;
  const connecting = protocol === 'tcp' ? `TCP${to},connect-timeout=${seconds}` : `UDP${to}`;
  const waiting = ['-T', `${seconds}`, '-t', `${seconds}`];
  const [command, rest] = inside(ns, ['socat', ...waiting, '-', `${connecting}${options}`]);
  const timeout = 4 * patience * 1000;
  return spawnSync(command, rest, { encoding: 'utf8', input: 'hello\n', timeout }).stdout.trim();
}

/** Starts a server that answers `NAME ADDRESS-OF-CLIENT`, an IPv6 one as `inFull`, in brackets. Resolves once it listens. */
export async function serve(
  ns: string | undefined,
  protocol: 'tcp' | 'udp',
  port: number,
  name: string,
  { program = `SYSTEM:echo ${name} $SOCAT_PEERADDR; cat >/dev/null`, bind = '', family = 4 as 4 | 6 } = {},
): Promise<void> {
  const options6 = family === 6 ? ',ipv6only' : '';
  const listen = `${protocol.toUpperCase()}${family}-LISTEN:${port},fork,reuseaddr${options6}${bind === '' ? '' : `,bind=${bind}`}`;
  // The client shuts its side down at once: without -t, socat gives the program half a second to answer.
  const [command, rest] = inside(ns, ['socat', '-t', `${patience}`, listen, program]);
  spawn(command, rest, { stdio: 'ignore' }).unref();
  const [ss, options] = inside(ns, ['ss', '-Hln', `-${family}`, `--${protocol}`, 'sport', '=', `:${port}`]);
  await eventually(`${name} listens`, () => execFileSync(ss, options, { encoding: 'utf8' }) !== '');
}

/** An IPv6 address as socat prints it: without `::` and with leading zeros. */
export const inFull = (address: string): string =>
  Buffer.from(ipToBytes(parseIp(address)))
    .toString('hex')
    .match(/.{4}/g)
    ?.join(':') ?? '';

/** The segment of neighbouring hosts: the bridge `up0` with 192.0.2.1/24. */
export function addUplink(): void {
  sh('ip link add up0 type bridge && ip address add 192.0.2.1/24 dev up0 && ip link set up0 up');
}

/** Creates a neighbouring host on that segment: namespace `name` with 192.0.2.N/24. Returns its namespace path. */
export function addNeighbour(name: string, number: number): string {
  sh(`ip netns add ${name} && ip link add n-${name} type veth peer name eth0 netns ${name}`);
  sh(`ip link set n-${name} master up0 up && ip -n ${name} link set lo up && ip -n ${name} link set eth0 up`);
  sh(`ip -n ${name} address add 192.0.2.${number}/24 dev eth0`);
  return `/run/netns/${name}`;
}

/** Adds 2001:db8::1/64 to the segment. */
export function addIpv6Uplink(): void {
  sh('ip address add 2001:db8::1/64 dev up0 nodad');
}

/** Adds 2001:db8::N/64 to a neighbouring host. */
export function addIpv6Neighbour(name: string, number: number): void {
  sh(`ip -n ${name} address add 2001:db8::${number}/64 dev eth0 nodad`);
}

/** Whether packets within bridges pass the firewall. False where the module br_netfilter is not loaded. */
export function setBridgeNetfilter(value: '0' | '1'): boolean {
  const files = ['iptables', 'ip6tables'].map((name) => `/proc/sys/net/bridge/bridge-nf-call-${name}`);
  const found = files.filter((file) => existsSync(file));
  for (const file of found) writeFileSync(file, value);
  return found.length > 0;
}

/** Polls until the condition holds; fails after a time that only a hang exceeds. */
export async function eventually(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + patience * 1000;
  while (!holds()) {
    if (performance.now() > deadline) assert.fail(what);
    await setTimeout(20);
  }
}
