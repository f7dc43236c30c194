/** Faults of container networks, made for real: a trace names the object and the fix, and the fix works. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cannotRun, type EngineName } from './support/engines.ts';
import { openHosts } from './support/host.ts';
import { archivePath } from './support/images.ts';
import { bridgeFaults } from './trace/bridge-faults.ts';
import { check, contextOf, podmanEnvironment, podmanFolder, reportOf } from './trace/check.ts';
import { dropFaults } from './trace/drop-faults.ts';
import type { Fault, FaultContext } from './trace/fault.ts';
import { commonFaults, images, linkFaults, peerFaults, setScene } from './trace/faults.ts';
import { addHealthyScene, healthyTraces, proxiedTraces } from './trace/healthy.ts';
import { podmanFaults, setPodmanScene } from './trace/podman-faults.ts';

const withoutPodman =
  !existsSync(join(podmanFolder, 'complete')) && 'NETYARD_PODMAN names no folder that script/unpack-podman filled';
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
      const withRules: string[] = [];
      for (const args of await healthyTraces(context)) {
        const { conclusion, observed, steps } = await reportOf(context, args);
        const shown = `${args.join(' ')}: ${conclusion.sentence}`;
        assert.equal(conclusion.outcome, 'reached', shown);
        if (observed === 'rules') withRules.push(args.join(' '));
        else assert.ok(!steps.some(({ kind, state }) => kind === 'rule' || state === 'missing'), shown);
      }
      // Other traffic is slowed down for none but those that docker-proxy takes, unlike predicted.
      assert.deepEqual(withRules, engine === 'netyard' ? [] : proxiedTraces);
      const full = await reportOf(context, ['--full', 'app', 'web:80']);
      assert.deepEqual([full.conclusion.outcome, full.observed], ['reached', 'rules']);
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
describeFaults('dockerd', [...commonFaults, ...dropFaults, ...linkFaults, ...bridgeFaults]);
