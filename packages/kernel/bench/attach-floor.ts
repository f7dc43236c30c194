/**
 * Not a test: measures one endpoint's kernel work, `Kernel.apply` against the same objects created by plain system
 * calls, alternating in one process. Prints JSON: `{ "floor": [ms…], "apply": [ms…] }`. Run it in a namespace of its
 * own, as script/bench does.
 *
 * The floor knows everything in advance (names, indexes, encoded requests), queries nothing and checks nothing: it
 * creates and pins a namespace, creates a veth pair with the peer inside, sets both ends and lo up, adds the address
 * and the default route.
 */
import { Buffer } from 'node:buffer';
import { closeSync, mkdirSync, openSync, unlinkSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { KernelObject } from '../src/desired.ts';
import { openKernel } from '../src/index.ts';
import { addAddress } from '../src/netlink/rtnl/address.ts';
import { changeLink, createBridge, createVeth, linkIndex } from '../src/netlink/rtnl/link.ts';
import { addRoute } from '../src/netlink/rtnl/route.ts';
import { NETLINK_ROUTE, NetlinkSocket } from '../src/netlink/socket.ts';
import { libc } from '../src/system/ffi/libc.ts';

const rounds = Number(process.argv[2] ?? 40);
const CLONE_NEWNET = 0x40000000;
const MS_BIND = 4096;
const MNT_DETACH = 2;
const folder = '/run/netns';
const bridge = 'bench0';
/** The peer is the only link besides lo in a new namespace, and the kernel numbers from 1. */
const peerIndex = 2;

const now = (): number => Number(process.hrtime.bigint()) / 1e6;

interface Made {
  ms: number;
  remove(): Promise<void> | void;
}

function floor(host: NetlinkSocket, bridgeIndex: number, own: number, round: number): Made {
  const path = `${folder}/floor`;
  const started = now();
  closeSync(openSync(path, 'w', 0));
  libc().unshare(CLONE_NEWNET);
  libc().mount('/proc/thread-self/ns/net', path, null, MS_BIND, null);
  const inside = NetlinkSocket.open(NETLINK_ROUTE);
  libc().setns(own, CLONE_NEWNET);
  const netnsFd = openSync(path, 'r');
  // A new name each round: a loaded kernel may not have deleted the last one yet.
  createVeth(host, { name: `floor${round}`, master: bridgeIndex, up: true, peer: { name: 'eth0', netnsFd } });
  changeLink(inside, 1, { up: true });
  changeLink(inside, peerIndex, { up: true });
  addAddress(inside, { linkIndex: peerIndex, prefix: `10.9.0.${2 + (round % 200)}/24` });
  addRoute(inside, { to: 'default', via: '10.9.0.1', linkIndex: peerIndex });
  const ms = now() - started;
  return {
    ms,
    remove() {
      inside.close();
      closeSync(netnsFd);
      libc().umount2(path, MNT_DETACH);
      unlinkSync(path);
    },
  };
}

function endpoint(round: number): KernelObject[] {
  const ns = `${folder}/apply`;
  return [
    { kind: 'netns', path: ns },
    { kind: 'veth', name: 'apply', master: bridge, up: true, peer: { ns, name: 'eth0', up: true } },
    { kind: 'link-state', ns, name: 'lo', up: true },
    { kind: 'address', ns, link: 'eth0', prefix: `10.9.0.${2 + (round % 200)}/24` },
    { kind: 'route', ns, to: 'default', via: '10.9.0.1', link: 'eth0' },
  ];
}

async function main(): Promise<void> {
  if (!process.env['NETYARD_LAB']) throw new Error('this creates links: run it in a lab host, as script/bench does');
  mkdirSync(folder, { recursive: true });
  const kernel = openKernel();
  const host = NetlinkSocket.open(NETLINK_ROUTE);
  createBridge(host, { name: bridge, up: true });
  const bridgeIndex = linkIndex(host, bridge);
  addAddress(host, { linkIndex: bridgeIndex, prefix: '10.9.0.1/24' });
  const own = openSync('/proc/thread-self/ns/net', 'r');
  const times: Record<'floor' | 'apply', number[]> = { floor: [], apply: [] };
  for (let round = 0; round < rounds; round += 1) {
    const plain = floor(host, bridgeIndex, own, round);
    await plain.remove();
    await pause(30); // the kernel deletes a namespace in the background, under the lock that we measure
    const plan = { owner: 'bench', objects: endpoint(round) };
    const started = now();
    await kernel.apply(plan);
    const ms = now() - started;
    await kernel.remove(plan);
    await pause(30);
    if (round < 3) continue; // warm-up: both paths compiled, libraries loaded
    times.floor.push(plain.ms);
    times.apply.push(ms);
  }
  kernel.close();
  host.close();
  process.stdout.write(Buffer.from(`${JSON.stringify(times)}\n`));
}

await main();
