/**
 * Documents what a container with CAP_NET_RAW can forge on its bridge: ARP claims reach the other containers unless
 * icc=false, and always the host. docs/differences.md states the same.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { eventually, inFreshHost, pings, sh } from '@netyard/testkit';
import { describeBridge } from './bridge-host.ts';
import { arpFrame, inside, sendFrames } from './forged-frames.ts';

const gateway = '172.17.0.1';

const host = inFreshHost(import.meta.url);
for (const icc of [true, false]) {
  describeBridge(host, { icc }, (testbed) => {
    test(`icc=${icc}: forged ARP reaches the host and, only with icc, the other containers`, async () => {
      const victim = await testbed.run('victim');
      const attacker = await testbed.run('attacker');
      const [own, forged] = [victim.endpoints[0], attacker.endpoints[0]?.mac ?? ''];
      const address = own?.addresses.v4?.address ?? '';
      const entryOfVictim = (): string => sh(`ip neighbour show ${address} dev docker0`);
      const entryOfGateway = (): string => inside(victim, 'ip', 'neighbour', 'show', gateway, 'dev', 'eth0');
      assert.ok(pings(victim.netnsPath, gateway));
      const genuine = /lladdr (\S+)/.exec(entryOfGateway())?.[1] ?? '';
      assert.notEqual(genuine, forged);
      assert.ok(entryOfVictim().includes(own?.mac ?? '-'));

      // The kernel ignores a change within a second of the last one (locktime), hence the repetition.
      const forge = (): void =>
        sendFrames(attacker, arpFrame(forged, forged, gateway, address), arpFrame(forged, forged, address, gateway));
      const reaches = (entry: () => string): boolean => {
        forge();
        return entry().includes(forged);
      };
      await eventually('the host takes the attacker for the victim', () => reaches(entryOfVictim));
      if (icc) await eventually('the victim takes the attacker for the gateway', () => reaches(entryOfGateway));
      else {
        await setTimeout(1500);
        forge();
        assert.ok(entryOfGateway().includes(genuine), entryOfGateway());
      }
      await testbed.remove(victim.containerId);
      await testbed.remove(attacker.containerId);
    });
  });
}
