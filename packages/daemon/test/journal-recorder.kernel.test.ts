/** States that follow the kernel's reports: what another program changes is in the next one, and links of containers are known. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { silentLogger, systemClock } from '@netyard/core';
import { Recorder, StateFiles, StateRecorder } from '@netyard/journal';
import {
  describeObject,
  identityOf,
  type KernelObject,
  observeNetworkState,
  openKernel,
  parseElements,
  printCommands,
} from '@netyard/kernel';
import { inFreshHost, sh } from '@netyard/testkit';

const host = inFreshHost(import.meta.url);
const printer = { describe: describeObject, printCommands, identify: identityOf, parseElements };
const plan: KernelObject[] = [
  { kind: 'netns', path: '/run/netns/c1' },
  {
    ...{ kind: 'veth', name: 'ny-c1', owner: 'container c1', up: true },
    peer: { name: 'eth0', up: true, ns: '/run/netns/c1' },
  },
];

describe('recorded states', host, () => {
  test('have routes that another program adds, and read no links for that of a container', host, async (context) => {
    const folder = mkdtempSync(join(tmpdir(), 'netyard-states-'));
    context.after(() => rmSync(folder, { recursive: true }));
    const kernel = openKernel();
    const files = new StateFiles(folder, { maximumBytes: 1e6, maximumAge: 10n ** 15n });
    const shared = { printer, clock: systemClock, logger: silentLogger };
    const isKnown: boolean[] = [];
    const states = new StateRecorder({
      ...{ ...shared, files, explain: () => plan },
      observe: (known) => {
        isKnown.push(known !== undefined);
        return observeNetworkState(known);
      },
    });
    const recorder = new Recorder({ ...shared, note: () => undefined, states });
    const untilRecorded = async (pattern: RegExp): Promise<void> => {
      const isRecorded = async (): Promise<boolean> =>
        (await files.read(systemClock.now()))?.items.some(({ key }) => pattern.test(key)) === true;
      while (!(await isRecorded())) await pause(50);
    };
    sh('ip link set lo up; ip link add d0 up type bridge; ip address add 10.1.0.1/24 dev d0');
    recorder.followKernel(kernel);
    await untilRecorded(/^link d0$/);
    states.noteContainer('c1');
    sh('ip netns add c1; ip link add ny-c1 type veth peer name eth0 netns c1');
    await untilRecorded(/ny-c1/);
    sh('ip route add 10.2.0.0/16 via 10.1.0.2');
    await untilRecorded(/^route 4 10\.2\.0\.0\/16 /);
    assert.match(isKnown.join(), /^(?:false,)+(?:true,)+false/);
    const items = (await files.read(systemClock.now()))?.items ?? [];
    assert.ok(items.some(({ key }) => key === 'link d0'));
    assert.ok(!items.some(({ key }) => key === 'link ny-c1'), 'a part of the container');
    recorder.close();
    await states.close();
    kernel.close();
  });
});
