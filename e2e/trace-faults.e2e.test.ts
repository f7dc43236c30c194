/** Faults of container networks, made for real: a trace names the object and the fix, and the fix works. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cannotRun, type EngineName } from './support/engines.ts';
import { openHosts, type TestHost, until } from './support/host.ts';
import { archivePath } from './support/images.ts';
import { dropFaults } from './trace/drop-faults.ts';
import type { Fault, FaultContext } from './trace/fault.ts';
import { commonFaults, images, linkFaults, peerFaults, setScene } from './trace/faults.ts';
import { addHealthyScene, healthyTraces } from './trace/healthy.ts';
import { podmanFaults, setPodmanScene } from './trace/podman-faults.ts';

const podmanFolder = process.env['NETYARD_PODMAN'] ?? '';
const withoutPodman =
  !existsSync(join(podmanFolder, 'complete')) && 'NETYARD_PODMAN names no folder that script/unpack-podman filled';
const podmanEnvironment = { PATH: `${join(podmanFolder, 'bin')}:${process.env['PATH']}:/usr/sbin:/sbin` };

interface Report {
  conclusion: { outcome: string; cause: string; sentence: string; fix?: string };
}

function contextOf(host: TestHost, neighbour: TestHost): FaultContext {
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

async function traceOf({ host }: FaultContext, args: readonly string[]): Promise<Report['conclusion']> {
  const command = [join(import.meta.dirname, '../bin/netyard'), 'trace', '--json', ...args];
  const { stdout, stderr } = await host.run(command, { environment: podmanEnvironment });
  assert.notEqual(stdout, '', stderr);
  return (JSON.parse(stdout) as Report).conclusion;
}

async function check(fault: Fault, context: FaultContext): Promise<void> {
  await fault.make(context);
  try {
    const conclusion = await traceOf(context, await fault.trace(context));
    const shown = JSON.stringify(conclusion);
    assert.match(conclusion.sentence, fault.sentence, shown);
    assert.equal(conclusion.cause, fault.cause, shown);
    assert.notEqual(conclusion.outcome, 'reached');
    assert.match(conclusion.fix ?? '', fault.fix, shown);
    if (fault.repair) await fault.repair(context);
    else await context.sh(conclusion.fix ?? 'false');
    const after = await (fault.traceAfter ?? fault.trace)(context);
    await until(async () => (await traceOf(context, after)).outcome === 'reached', 'the target is reached', 10_000);
  } catch (error) {
    // What the fault left may be why it cannot be removed: the first error counts.
    await fault.clean?.(context).then(undefined, () => {});
    throw error;
  }
  await fault.clean?.(context);
}

/** Without it, Netyard's daemon adds a rule before those that drop its packets. */
const daemonOptionsOf = { netyard: ['--foreign-firewall=false'], dockerd: [] } as const;

function describeFaults(engine: EngineName, faults: readonly Fault[]): void {
  describe(`trace on containers of ${engine}`, { skip: cannotRun(engine) }, () => {
    const daemonOptions = [...daemonOptionsOf[engine]];
    const bips = engine === 'netyard' ? ['192.168.11.1/24', '192.168.12.1/24'] : [];
    let context: FaultContext;
    before(async () => {
      const [host, neighbour] = await openHosts(engine, ['server1', 'server2'], { images, daemonOptions, bips });
      assert.ok(host && neighbour);
      context = contextOf(host, neighbour);
      await setScene(context);
    });
    after(() => context.host.close());
    for (const fault of faults) test(fault.name, () => check(fault, context));

    test('set-ups that work are not accused of anything', async () => {
      await addHealthyScene(context);
      for (const args of await healthyTraces(context)) {
        const { outcome, sentence } = await traceOf(context, args);
        assert.equal(outcome, 'reached', `${args.join(' ')}: ${sentence}`);
      }
      const { stdout } = await context.host.tryNetyard('diagnose', '--json');
      const findings = JSON.parse(stdout) as { grade: string; text: string }[];
      assert.deepEqual(
        findings.filter(({ grade }) => grade === 'broken').map(({ text }) => text),
        [],
      );
    });
  });
}

describe('trace on containers of podman', { skip: cannotRun('netyard') || withoutPodman }, () => {
  let context: FaultContext;
  before(async () => {
    const [host, neighbour] = await openHosts('netyard', ['server1', 'server2'], { daemon: false });
    assert.ok(host && neighbour);
    const sh = async (line: string): Promise<string> => {
      const { status, stdout, stderr } = await host.run(['sh', '-ec', line], { environment: podmanEnvironment });
      assert.equal(status, 0, `${line}: ${stderr}`);
      return stdout;
    };
    context = { ...contextOf(host, neighbour), sh };
    await setPodmanScene(sh, archivePath('nginx-web01'));
  });
  after(() => context.host.close());
  for (const fault of podmanFaults) test(fault.name, () => check(fault, context));
});

describeFaults('netyard', [...commonFaults, ...dropFaults, ...peerFaults]);
describeFaults('dockerd', [...commonFaults, ...dropFaults, ...linkFaults]);
