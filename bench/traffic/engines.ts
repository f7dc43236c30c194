/**
 * Containers of two engines as the ends of a way: on two hosts, Netyard's as peers and dockerd's in Swarm's overlay; and
 * of either engine on one bridge and behind a published port.
 */
import { join } from 'node:path';
import type { HostHandle } from '@netyard/lab';
import { docker, type Engine, startDockerd } from '../engine.ts';
import { output } from '../in-lab.ts';
import { image } from '../scenarios.ts';
import { type Place, ports, type Way } from './path.ts';

const netyard = join(import.meta.dirname, '../../bin/netyard');
const container = 'far';

/** A host of a pair: address on the switch and subnet of its containers. */
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
): Promise<Place & { address: string }> {
  await docker(engine, 'run', '-d', '--name', name, '--network', network, ...options, image, 'sleep', '1000000');
  const format = `{{.State.Pid}} {{(index .NetworkSettings.Networks "${network}").IPAddress}}`;
  const [pid = '', address = ''] = (await docker(engine, 'inspect', '-f', format, name)).split(' ');
  return { host: engine.handle, netns: `/proc/${pid}/ns/net`, address };
}

/** Its daemon runs and has the image. */
export async function makeReady(engine: Engine, archive: string): Promise<void> {
  if (engine.name === 'dockerd') await startDockerd(engine);
  await docker(engine, 'load', '-q', '-i', archive);
}

/** One `peer add` on each host. */
export async function openPeers(members: readonly [Member, Member], via: string): Promise<Way> {
  const [client, server] = members;
  await addPeer(client.engine.handle, server, via);
  await addPeer(server.engine.handle, client, via);
  const places = [];
  for (const { engine } of members) places.push(await runContainer(engine, container, 'bridge'));
  return wayBetween(places);
}

async function addPeer(host: HostHandle, { engine, address, subnet }: Member, via: string): Promise<void> {
  const words = ['peer', 'add', engine.handle.host, '--address', address, '--subnet', subnet, '--via', via];
  await output(host, [netyard, ...words]);
}

/**
 * An attachable overlay network: plain containers on it need none of Swarm's services, so no IPVS, which the kernel may
 * lack. A failure is reported with the daemon's own message.
 */
export async function openOverlay(members: readonly [Member, Member]): Promise<Way> {
  const [client, server] = members;
  await docker(client.engine, 'swarm', 'init', '--advertise-addr', client.address);
  const token = await docker(client.engine, 'swarm', 'join-token', '-q', 'worker');
  await docker(server.engine, 'swarm', 'join', '--token', token, `${client.address}:2377`);
  await docker(client.engine, 'network', 'create', '-d', 'overlay', '--attachable', 'overlay1');
  const places = [];
  for (const { engine } of members) places.push(await runContainer(engine, container, 'overlay1'));
  return wayBetween(places);
}

/** Two containers of one host. */
export async function openBridge({ engine }: Member): Promise<Way> {
  const places = [];
  for (const name of ['near', 'nearer']) places.push(await runContainer(engine, name, 'bridge'));
  return wayBetween(places);
}

/** From another host to a published port, of the same number inside and outside. */
export async function openPublished([client, server]: readonly [Member, Member]): Promise<Way> {
  const options = Object.values(ports).flatMap((port) => ['-p', `${port}:${port}`]);
  const container = await runContainer(server.engine, 'published', 'bridge', options);
  return { client: { host: client.engine.handle, netns: undefined }, server: container, address: server.address };
}

function wayBetween([client, server]: readonly (Place & { address: string })[]): Way {
  if (!client || !server) throw new Error('a way has two ends');
  return { client, server, address: server.address };
}
