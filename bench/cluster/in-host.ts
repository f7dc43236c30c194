/**
 * Runs inside a lab host. With a daemon: simulates the other hosts of a cluster and observes the kernel. Without one:
 * passes the objects that a daemon would create to the kernel package. Reads one JSON command per line from stdin, writes
 * one JSON answer per line to stdout, and exits at the end of stdin.
 *
 *   in-host.ts URL | alone      the daemon's --cluster
 */
import { createInterface } from 'node:readline';
import { openKernel } from '@netyard/kernel';
import { openSimulatedMembers, type SimulatedHost } from '../../packages/cluster/bench/simulated-members.ts';
import type { Answer, Command, Executor } from './executor.ts';
import { KernelObserver } from './kernel-observer.ts';
import { openKernelOnly } from './kernel-only.ts';
import { simulatedHosts } from './simulated-hosts.ts';

/** For a host with a daemon. */
async function openWithDaemon(url: string): Promise<Executor> {
  const kernel = openKernel();
  const members = await openSimulatedMembers(url);
  const observer = new KernelObserver(kernel);
  const stop = new AbortController();
  const following = observer.follow(stop.signal);
  const both = async (state: 'present' | 'absent', verb: 'join' | 'leave', hosts: readonly SimulatedHost[]) => {
    const began = performance.now();
    const [figure, written] = await Promise.all([
      observer.until(state, hosts, began),
      members[verb](hosts).then(() => performance.now() - began),
    ]);
    return { figure, written };
  };
  return {
    join: (hosts) => both('present', 'join', hosts),
    leave: (hosts) => both('absent', 'leave', hosts),
    echo: () => members.echo(),
    batch: () => Promise.reject(new Error('not available in a host with a daemon')),
    async count() {
      await observer.list();
      return observer.count;
    },
    async close() {
      stop.abort();
      await following;
      members.close();
      kernel.close();
    },
  };
}

async function execute(executor: Executor, command: Command): Promise<Answer> {
  if (command.verb === 'echo' || command.verb === 'count')
    return { figure: await executor[command.verb](), written: 0 };
  const hosts = simulatedHosts(command.from, command.count);
  return command.verb === 'batch'
    ? { figure: await executor.batch(hosts), written: 0 }
    : await executor[command.verb](hosts);
}

const [url = ''] = process.argv.slice(2);
if (!process.env['NETYARD_LAB']) throw new Error('this changes routes: run it in a lab host, as script/bench does');
const executor = url === 'alone' ? await openKernelOnly() : await openWithDaemon(url);
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await execute(executor, JSON.parse(line) as Command))}\n`);
}
await executor.close();
