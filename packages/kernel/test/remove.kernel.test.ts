/** Removal of plans: many at the same time, and after failures. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { beforeEach, test } from 'node:test';
import { type KernelObject, type KernelPlan, openKernel } from '@netyard/kernel';
import { inFreshHost, sh } from '@netyard/testkit';
import { cleanHost, container, dump, element, folder, host2, planOf } from './plan-host.ts';

const host = inFreshHost(import.meta.url);
const kernel = openKernel();

beforeEach(() => cleanHost(host));

test('twenty plans are removed at the same time, each once, and other links stay', host, async () => {
  await kernel.apply(host2);
  const before = dump();
  const plans = Array.from({ length: 20 }, (_, index): KernelPlan => {
    const ns = `/run/netns/p${index}`;
    const pair: KernelObject = {
      kind: 'veth',
      name: `nyp${index}`,
      master: 'ny0',
      up: true,
      peer: { ns, name: 'eth0', up: true },
    };
    return { owner: `p${index}`, objects: [{ kind: 'netns', path: ns }, pair, element(1000 + index, '1.1.1.1 . 1')] };
  });
  for (const plan of plans) await kernel.apply(plan);
  const reports = await Promise.all(plans.map((plan) => kernel.remove(plan)));
  for (const { operations } of reports) {
    assert.deepEqual(
      operations.map(({ object }) => object.kind),
      ['nft-element', 'veth', 'netns'],
    );
  }
  assert.deepEqual(dump(), before);
  assert.deepEqual(
    (await Promise.all(plans.map((plan) => kernel.remove(plan)))).flatMap(({ operations }) => operations),
    [],
  );
  await kernel.remove(host2);
});

test('removal continues after failures and names each', host, async () => {
  await kernel.apply(host2);
  const stuck = join(folder, 'stuck');
  sh(`mkdir ${stuck}`);
  const plan: KernelPlan = {
    owner: 'container x',
    objects: [...container(6), { kind: 'file', path: stuck, content: '' }],
  };
  await kernel.apply(planOf(6));
  await assert.rejects(kernel.remove(plan), /^NetyardError: removing container x: .*stuck/);
  assert.equal(sh('ip netns list'), '');
  sh(`rmdir ${stuck}`);
  await kernel.remove(host2);
});
