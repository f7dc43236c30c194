/** Tests that a route which appears later and takes a network's packets elsewhere is reported, and its end as well. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, inFreshHost, sh } from '@netyard/testkit';
import { bridgeNetwork, describeBridges, on } from './bridge-networks.ts';

const host = inFreshHost(import.meta.url);

describeBridges(host, { networks: [bridgeNetwork('front', 70)], bridgeNetfilter: ['0'] }, (testbed) => {
  const conflicts = (): string[] =>
    testbed.events.flatMap(({ action, networkName, detail }) =>
      action.startsWith('conflict') ? [`${action} ${networkName}: ${detail}`] : [],
    );
  const taken = 'front: route 10.70.0.0/25 via 192.0.2.9 dev up0 takes packets to containers in 10.70.0.0/24 elsewhere';

  test('a conflicting route is reported once, with its network, and so is its end', async () => {
    await testbed.run('web', { mode: on('front') });
    sh('ip route add 10.0.0.0/8 via 192.0.2.9; ip route add 10.71.0.0/24 via 192.0.2.9');
    sh('ip route add 10.70.0.0/25 via 192.0.2.9');
    await eventually('it is reported', () => conflicts().length > 0);
    sh('ip route add 10.72.0.0/24 via 192.0.2.9');
    const texts = (await testbed.networks.inspect()).map(({ text }) => text);
    assert.ok(texts.some((text) => text.includes('route 10.70.0.0/25 via 192.0.2.9 dev up0 takes packets')));
    sh('ip route delete 10.70.0.0/25');
    await eventually('its end is reported', () => conflicts().length > 1);
    assert.deepEqual(conflicts(), [`conflict ${taken}`, `conflict-end ${taken}`]);
  });
});
