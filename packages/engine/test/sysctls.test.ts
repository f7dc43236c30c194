/** Which settings the runtime makes in a network namespace, on fakes. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { type Harness, openHarness } from './fakes/harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await openHarness();
});
afterEach(() => harness.close());

test('the runtime sets no network setting but those of a container in another one’s namespace', async () => {
  const sysctlsOf = (id: string) => harness.runtime.tasks.get(id)?.spec.sysctls;
  const lowest = (port: string) => ({ 'net.ipv4.ip_unprivileged_port_start': port });
  assert.deepEqual(sysctlsOf(await harness.run({ sysctls: lowest('5') }, 'owner')), {});
  const networkMode = { kind: 'container', ref: 'owner' } as const;
  assert.deepEqual(sysctlsOf(await harness.run({ networkMode }, 'sidecar')), {});
  assert.deepEqual(sysctlsOf(await harness.run({ networkMode, sysctls: lowest('7') }, 'other')), lowest('7'));
});
