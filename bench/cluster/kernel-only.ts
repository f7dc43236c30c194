/**
 * Passes the objects that a daemon would create for simulated hosts to the kernel package alone, without etcd and without
 * decisions: the kernel's share of a join or leave. Runs in a lab host without a daemon.
 */
import { spawnSync } from 'node:child_process';
import { type KernelObject, openKernel } from '@netyard/kernel';
import type { SimulatedHost } from '../../packages/cluster/bench/simulated-members.ts';
import { planTables } from '../../packages/network/src/firewall/table.ts';
import { peerProtocol, planPeer } from '../../packages/peers/src/plan.ts';
import { planTunnel } from '../../packages/peers/src/tunnel.ts';
import type { Answer, Executor } from './executor.ts';
import { uplink } from './simulated-hosts.ts';

const mtu = 1450;

/** The peer's objects, as a host on the same link has them. */
const planOf = ({ name, address, subnet }: SimulatedHost, local: string): KernelObject[] =>
  planPeer(
    { name, address, subnets: [subnet], via: 'auto' },
    { kind: 'route', link: uplink, gateway: address, uplink, local, shared: true, mtu: 1500 },
  );

export async function openKernelOnly(): Promise<Executor> {
  const kernel = openKernel();
  const own = (await kernel.listAddresses()).find(({ link }) => link === uplink);
  const local = own?.prefix.split('/')[0] ?? '';
  const common = [
    ...planTables({ marks: false, routesOnlyOwn: false, checksSources: false, guarded: false, ipv6: undefined }),
    ...planTunnel({ local, mtu, inUse: false, ipv6: false }, { ipv6: false }),
  ];
  await kernel.apply({ owner: 'bench', objects: common });
  const timed = async (hosts: readonly SimulatedHost[], verb: 'apply' | 'remove'): Promise<Answer> => {
    const objects = hosts.flatMap((host) => planOf(host, local));
    const began = performance.now();
    await kernel[verb]({ owner: 'bench', objects });
    return { figure: performance.now() - began, written: 0 };
  };
  return {
    join: (hosts) => timed(hosts, 'apply'),
    leave: (hosts) => timed(hosts, 'remove'),
    echo: () => Promise.reject(new Error('not available without etcd')),
    batch: async (hosts) => batch(hosts),
    count: async () => (await kernel.listRoutes()).filter(({ protocol }) => protocol === peerProtocol).length,
    close: async () => kernel.close(),
  };
}

function batch(hosts: readonly SimulatedHost[]): number {
  const lines = (verb: string): string =>
    hosts.map(({ subnet, address }) => `route ${verb} ${subnet} via ${address} proto ${peerProtocol}\n`).join('');
  const [added, deleted] = [lines('add'), lines('delete')];
  const began = performance.now();
  ip(added);
  const took = performance.now() - began;
  ip(deleted);
  return took;
}

function ip(lines: string): void {
  const { status, stderr } = spawnSync('ip', ['-batch', '-'], { input: lines, encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip -batch: ${stderr}`);
}
