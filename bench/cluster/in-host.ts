/**
 * Runs inside a lab host: plays the other hosts of a cluster to the host's daemon and looks at the kernel, or hands what
 * the daemon would make of them to the kernel box, where there is no daemon. One JSON order a line from stdin, one JSON
 * answer a line to stdout; it ends with stdin.
 *
 *   in-host.ts URL | alone      the daemon's --cluster
 */
import { createInterface } from 'node:readline';
import { openKernel } from '@netyard/kernel';
import { openSimulatedMembers, type SimulatedHost } from '../../packages/cluster/bench/simulated-members.ts';
import { KernelObserver } from './kernel-observer.ts';
import { openAlone } from './kernel-only.ts';
import { simulatedHosts } from './simulated-hosts.ts';

export type Order =
  | { verb: 'join' | 'leave'; from: number; count: number }
  /** A key that is nobody's: etcd alone. */
  | { verb: 'echo' }
  /** Their routes by one `ip -batch`, and nothing else; they are taken away again. */
  | { verb: 'batch'; from: number; count: number }
  /** How many routes there are, listed afresh. */
  | { verb: 'count' };

export interface Answer {
  /** Milliseconds, or a count. */
  figure: number;
  /** Milliseconds until etcd had answered to all that was written; 0 where there is no etcd. */
  written: number;
}

/** Milliseconds each, but for `count`. */
export interface Place {
  join(hosts: readonly SimulatedHost[]): Promise<Answer>;
  leave(hosts: readonly SimulatedHost[]): Promise<Answer>;
  echo(): Promise<number>;
  batch(hosts: readonly SimulatedHost[]): Promise<number>;
  count(): Promise<number>;
  close(): Promise<void>;
}

/** Beside a daemon. */
async function openBeside(url: string): Promise<Place> {
  const kernel = openKernel();
  const crowd = await openSimulatedMembers(url);
  const observer = new KernelObserver(kernel);
  const stop = new AbortController();
  const following = observer.follow(stop.signal);
  const both = async (state: 'there' | 'gone', verb: 'join' | 'leave', hosts: readonly SimulatedHost[]) => {
    const began = performance.now();
    const [figure, written] = await Promise.all([
      observer.until(state, hosts, began),
      crowd[verb](hosts).then(() => performance.now() - began),
    ]);
    return { figure, written };
  };
  return {
    join: (hosts) => both('there', 'join', hosts),
    leave: (hosts) => both('gone', 'leave', hosts),
    echo: () => crowd.echo(),
    batch: () => Promise.reject(new Error('here is a daemon')),
    async count() {
      await observer.look();
      return observer.count;
    },
    async close() {
      stop.abort();
      await following;
      crowd.close();
      kernel.close();
    },
  };
}

async function obey(place: Place, order: Order): Promise<Answer> {
  if (order.verb === 'echo' || order.verb === 'count') return { figure: await place[order.verb](), written: 0 };
  const hosts = simulatedHosts(order.from, order.count);
  return order.verb === 'batch' ? { figure: await place.batch(hosts), written: 0 } : await place[order.verb](hosts);
}

const [url = ''] = process.argv.slice(2);
if (!process.env['NETYARD_LAB']) throw new Error('this changes routes: run it in a lab host, as script/bench does');
const place = url === 'alone' ? await openAlone() : await openBeside(url);
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await obey(place, JSON.parse(line) as Order))}\n`);
}
await place.close();
