/** Makes faults, and compares what a trace says about them. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { neighbourAddress, openHosts, type TestHost, until } from '../support/host.ts';
import type { Fault, FaultContext } from './fault.ts';

export const netyard = join(import.meta.dirname, '../../bin/netyard');
export const podmanFolder = process.env['NETYARD_PODMAN'] ?? '';
export const podmanEnvironment = { PATH: `${join(podmanFolder, 'bin')}:${process.env['PATH']}:/usr/sbin:/sbin` };

export interface Report {
  conclusion: { outcome: string; cause: string; sentence: string; fix?: string; host?: string };
  observed?: string;
  steps: { place: string; kind: string; name: string; state: string; host?: string }[];
}

export function contextOf(host: TestHost, neighbour: TestHost): FaultContext {
  const inspect = (container: string, format: string): Promise<string> =>
    host.docker('inspect', '-f', format, container);
  const inside = async (container: string, command: string): Promise<string> =>
    await host.sh(`nsenter --net=/proc/${await inspect(container, '{{.State.Pid}}')}/ns/net ${command}`);
  return {
    ...{ host, neighbour, inside, sh: (line) => host.sh(line) },
    addressOf: async (container) =>
      (await inspect(container, '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}')).split(' ')[0] ?? '',
    bridgeOf: async (network) =>
      `br-${(await host.docker('network', 'inspect', '-f', '{{.Id}}', network)).slice(0, 12)}`,
    outerLinkOf: async (container) => {
      const index = /eth0@if(\d+)/.exec(await inside(container, 'ip -o link show eth0'))?.[1] ?? '';
      return (await host.sh(`ip -o link | sed -n 's/^${index}: \\([^@:]*\\).*/\\1/p'`)).trim();
    },
  };
}

/**
 * A host with containers on net1 whose default route leads to its neighbour.
 *
 * @param containers names and their further options of `docker run`
 */
export async function openRoutedHost(containers: readonly (readonly [string, ...string[]])[]): Promise<FaultContext> {
  const [host, neighbour] = await openHosts('netyard', ['server1', 'server2'], {
    images: ['nginx-web01'],
    daemonOptions: ['--foreign-firewall=false'],
  });
  assert.ok(host && neighbour);
  await host.sh(`ip route add default via ${neighbourAddress}`);
  await host.docker('network', 'create', 'net1');
  for (const [name, ...options] of containers)
    await host.docker('run', '-d', '--name', name, '--network', 'net1', ...options, 'nginx-web01', 'nginx');
  return contextOf(host, neighbour);
}

/** `netyard trace` on the host. */
export const traceOf = async (
  context: Pick<FaultContext, 'host'>,
  args: readonly string[],
): Promise<Report['conclusion']> => (await reportOf(context, args)).conclusion;

export async function reportOf({ host }: Pick<FaultContext, 'host'>, args: readonly string[]): Promise<Report> {
  const command = [netyard, 'trace', '--json', ...args];
  const { stdout, stderr } = await host.run(command, { environment: podmanEnvironment });
  assert.notEqual(stdout, '', stderr);
  return JSON.parse(stdout) as Report;
}

/** Makes the fault, traces it, applies the printed fix on the host that it names, and traces again. */
export async function check(fault: Fault, context: FaultContext): Promise<void> {
  await fault.make(context);
  try {
    const conclusion = await traceOf(context, await fault.trace(context));
    const shown = JSON.stringify(conclusion);
    assert.match(conclusion.sentence, fault.sentence, shown);
    assert.equal(conclusion.cause, fault.cause, shown);
    assert.notEqual(conclusion.outcome, 'reached');
    assert.match(conclusion.fix ?? '', fault.fix, shown);
    assert.equal(conclusion.host, fault.host, shown);
    if (fault.repair) await fault.repair(context);
    else if (conclusion.host !== undefined) await context.neighbour.sh(conclusion.fix ?? 'false');
    else await context.sh(conclusion.fix ?? 'false');
    const after = await (fault.traceAfter ?? fault.trace)(context);
    await until(async () => (await traceOf(context, after)).outcome === 'reached', 'the target is reached');
  } catch (error) {
    // What the fault left may be why it cannot be removed: the first error counts.
    await fault.clean?.(context).then(undefined, () => {});
    throw error;
  }
  await fault.clean?.(context);
}
