/**
 * Paths between containers: of two hosts, as Netyard's peers and in dockerd's Swarm overlay; of one host, on one bridge
 * and through a published port.
 */
import { join } from 'node:path';
import type { HostHandle } from '@netyard/lab';
import { docker, type Engine } from '../engine.ts';
import { output } from '../in-lab.ts';
import { image } from '../scenarios.ts';
import { type Endpoint, type Path, ports } from './path.ts';

const netyard = join(import.meta.dirname, '../../bin/netyard');
const container = 'far';

/** A host of a pair, with its address on the switch and the subnet of its containers. */
export interface Member {
  engine: Engine;
  address: string;
  subnet: string;
}

async function runContainer(
  engine: Engine,
  name: string,
  network: string,
  options: readonly string[] = [],
): Promise<Endpoint & { address: string }> {
  await docker(engine, 'run', '-d', '--name', name, '--network', network, ...options, image, 'sleep', '1000000');
  const format = `{{.State.Pid}} {{(index .NetworkSettings.Networks "${network}").IPAddress}}`;
  const [pid = '', address = ''] = (await docker(engine, 'inspect', '-f', format, name)).split(' ');
  return { host: engine.handle, netns: `/proc/${pid}/ns/net`, address };
}

/** One `peer add` on each host. */
export async function openPeers(members: readonly [Member, Member], via: string): Promise<Path> {
  const [client, server] = members;
  await addPeer(client.engine.handle, server, via);
  await addPeer(server.engine.handle, client, via);
  const endpoints = [];
  for (const { engine } of members) endpoints.push(await runContainer(engine, container, 'bridge'));
  return pathBetween(endpoints);
}

async function addPeer(host: HostHandle, { engine, address, subnet }: Member, via: string): Promise<void> {
  const args = ['peer', 'add', engine.handle.host, '--address', address, '--subnet', subnet, '--via', via];
  await output(host, [netyard, ...args]);
}

/**
 * An attachable overlay network. Plain containers on it do not use Swarm's services, so they do not need IPVS, which the
 * kernel may lack.
 */
export async function openOverlay(members: readonly [Member, Member]): Promise<Path> {
  const [client, server] = members;
  await docker(client.engine, 'swarm', 'init', '--advertise-addr', client.address);
  const token = await docker(client.engine, 'swarm', 'join-token', '-q', 'worker');
  await docker(server.engine, 'swarm', 'join', '--token', token, `${client.address}:2377`);
  await docker(client.engine, 'network', 'create', '-d', 'overlay', '--attachable', 'overlay1');
  const endpoints = [];
  for (const { engine } of members) endpoints.push(await runContainer(engine, container, 'overlay1'));
  return pathBetween(endpoints);
}

/** Two containers of one host. */
export async function openBridge({ engine }: Member): Promise<Path> {
  const endpoints = [];
  for (const name of ['one', 'other']) endpoints.push(await runContainer(engine, name, 'bridge'));
  return pathBetween(endpoints);
}

/** From another host to a published port, with the same number inside and outside. */
export async function openPublished([client, server]: readonly [Member, Member]): Promise<Path> {
  const options = Object.values(ports).flatMap((port) => ['-p', `${port}:${port}`]);
  const container = await runContainer(server.engine, 'published', 'bridge', options);
  return { client: { host: client.engine.handle, netns: undefined }, server: container, address: server.address };
}

function pathBetween([client, server]: readonly (Endpoint & { address: string })[]): Path {
  if (!client || !server) throw new Error('a path has two ends');
  return { client, server, address: server.address };
}
