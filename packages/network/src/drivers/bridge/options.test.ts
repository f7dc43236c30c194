/** Options of bridge networks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NetworkRecord } from '../../contract.ts';
import { bridgeSettings } from './options.ts';

const record = (options: Record<string, string>): NetworkRecord => ({
  ...{ id: '0'.repeat(64), name: 'n', driver: 'bridge', created: 0n, labels: {}, predefined: false },
  ...{ internal: false, attachable: false },
  ipam: { driver: 'default', v4: [{ subnet: '10.0.0.0/24', gateway: '10.0.0.1' }] },
  options,
});

test('boolean options are read as Go reads them', () => {
  for (const [text, expected] of [
    ...(['1', 't', 'TRUE', 'true'] as const).map((one) => [one, true] as const),
    ...(['0', 'f', 'FALSE', 'false'] as const).map((one) => [one, false] as const),
  ]) {
    const settings = bridgeSettings(
      record({
        'com.docker.network.bridge.enable_icc': text,
        'com.docker.network.bridge.enable_ip_masquerade': text,
      }),
    );
    assert.deepEqual([settings.icc, settings.v4?.masquerade], [expected, expected], text);
  }
});

test('an MTU of 0 is the default, as in Docker', () => {
  const mtuOf = (mtu: string) => bridgeSettings(record({ 'com.docker.network.driver.mtu': mtu })).mtu;
  assert.deepEqual(['0', '1400'].map(mtuOf), [1500, 1400]);
});
