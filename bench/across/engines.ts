/** Containers of two engines as the ends of a way: Netyard's through a peer, dockerd's through Swarm's overlay. */
import { join } from 'node:path';
import type { HostHandle } from '@netyard/lab';
import { docker, type Engine, startDockerd } from '../engine.ts';
import { output } from '../in-lab.ts';
import { image } from '../scenarios.ts';
import type { Place, Way } from './way.ts';

const netyard = join(import.meta.dirname, '../../bin/netyard');
const container = 'bench';

/** A host of a pair: address on the switch and subnet of its containers. */
export interface Member {
  engine: Engine;
  address: string;
  subnet: string;
}

async function runContainer(engine: Engine, archive: string, network: string): Promise<Place & { address: string }> {
  await docker(engine, 'load', '-q', '-i', archive);
  await docker(engine, 'run', '-d', '--name', container, '--network', network, image, 'sleep', '1000000');
  const format = `{{.State.Pid}} {{(index .NetworkSettings.Networks "${network}").IPAddress}}`;
  const [pid = '', address = ''] = (await docker(engine, 'inspect', '-f', format, container)).split(' ');
  return { host: engine.handle, netns: `/proc/${pid}/ns/net`, address };
}

/** One `peer add` on each host. */
export async function openPeers(members: readonly [Member, Member], via: string, archive: string): Promise<Way> {
  const [client, server] = members;
  await addPeer(client.engine.handle, server, via);
  await addPeer(server.engine.handle, client, via);
  const places = [];
  for (const { engine } of members) places.push(await runContainer(engine, archive, 'bridge'));
  return wayBetween(places);
}

async function addPeer(host: HostHandle, { engine, address, subnet }: Member, via: string): Promise<void> {
  const words = ['peer', 'add', engine.handle.host, '--address', address, '--subnet', subnet, '--via', via];
  await output(host, [netyard, ...words]);
}

/**
 * An attachable overlay network: plain containers on it need none of Swarm's services, so no IPVS, which the kernel may
 * lack. What fails is told in the daemon's own words.
 */
export async function openOverlay(members: readonly [Member, Member], archive: string): Promise<Way> {
  const [client, server] = members;
  for (const { engine } of members) await startDockerd(engine);
  await docker(client.engine, 'swarm', 'init', '--advertise-addr', client.address);
  const token = await docker(client.engine, 'swarm', 'join-token', '-q', 'worker');
  await docker(server.engine, 'swarm', 'join', '--token', token, `${client.address}:2377`);
  await docker(client.engine, 'network', 'create', '-d', 'overlay', '--attachable', 'overlay1');
  const places = [];
  for (const { engine } of members) places.push(await runContainer(engine, archive, 'overlay1'));
  return wayBetween(places);
}

function wayBetween([client, server]: readonly (Place & { address: string })[]): Way {
  if (!client || !server) throw new Error('a way has two ends');
  return { client, server, address: server.address };
}
