/** Which settings the runtime makes in a network namespace, on fakes. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { type Harness, openHarness } from './fakes/harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await openHarness();
});
afterEach(() => harness.close());

test('defaults of a network namespace replace neither its container’s settings nor those of the owner', async () => {
  const sysctlsOf = (id: string) => harness.runtime.tasks.get(id)?.spec.sysctls;
  const range = { 'net.ipv4.ping_group_range': '0 2147483647' };
  const lowest = (port: string) => ({ 'net.ipv4.ip_unprivileged_port_start': port });
  assert.deepEqual(sysctlsOf(await harness.run({}, 'plain')), { ...lowest('0'), ...range });
  const own = await harness.run({ sysctls: { 'net/ipv4/ip_unprivileged_port_start': '5' } }, 'owner');
  assert.deepEqual(sysctlsOf(own), { ...lowest('5'), ...range });
  const networkMode = { kind: 'container', ref: 'owner' } as const;
  assert.deepEqual(sysctlsOf(await harness.run({ networkMode }, 'sidecar')), {});
  assert.deepEqual(sysctlsOf(await harness.run({ networkMode, sysctls: lowest('7') }, 'other')), lowest('7'));
});
