/** The fake kernel returns the same reports, errors and observations for the same plans as the real one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Kernel, type KernelObject, type KernelPlan, openKernel } from '@netyard/kernel';
import { FakeKernel, inFreshHost } from '@netyard/testkit';

const host = inFreshHost(import.meta.url);
const ns = '/run/netns/c1';
const element = (key: string, value: string): KernelObject => ({
  kind: 'nft-element',
  ...{ family: 'ip', table: 'netyard', set: 'publish', key, value },
});
const table = (body: string): KernelObject => ({ kind: 'nft-table', family: 'ip', name: 'netyard', body });
const map = 'map publish { type inet_proto . inet_service : ipv4_addr . inet_service; }';
const counting = 'set peers { type ipv4_addr; counter; }';
const network: KernelPlan = {
  owner: 'network',
  objects: [
    table(`${map}\n${counting}`),
    { kind: 'bridge', name: 'ny0', up: true, owner: 'network' },
    { kind: 'address', link: 'ny0', prefix: '172.17.0.1/16' },
  ],
};
const container: KernelPlan = {
  owner: 'container',
  objects: [
    { kind: 'netns', path: ns },
    { kind: 'link-state', ns, name: 'lo', up: true },
    { kind: 'veth', name: 'ny1', master: 'ny0', up: true, peer: { ns, name: 'eth0', up: true } },
    { kind: 'address', ns, link: 'eth0', prefix: '172.17.0.2/16' },
    { kind: 'route', ns, to: 'default', via: '172.17.0.1' },
    { kind: 'neighbour', ns, link: 'eth0', address: '172.17.0.1', mac: '02:42:00:00:00:01' },
    element('tcp . 80', '172.17.0.2 . 80'),
    { kind: 'nft-element', family: 'ip', table: 'netyard', set: 'peers', key: '192.168.12.2', comment: 'c1' },
  ],
};
const changed: KernelPlan = {
  owner: 'container',
  objects: [
    { kind: 'bridge', name: 'ny0', up: false },
    element('tcp . 80', '172.17.0.9 . 80'),
    table(`${map}\n${counting}\nchain c { }`),
  ],
};

/** The operations of a report, or the name of the error. */
async function outcomeOf(work: Promise<{ operations: { action: string; object: KernelObject }[] }>): Promise<string[]> {
  try {
    return (await work).operations.map(({ action, object }) => `${action} ${object.kind}`).sort();
  } catch (error) {
    return [error instanceof Error && 'errnoName' in error ? String(error.errnoName) : String(error)];
  }
}

async function script(kernel: Kernel): Promise<unknown[]> {
  const steps: (() => Promise<unknown>)[] = [
    () => outcomeOf(kernel.apply(container)), // no bridge yet
    () => outcomeOf(kernel.apply(network, { dryRun: true })),
    () => outcomeOf(kernel.apply(network)),
    () => outcomeOf(kernel.apply(container)),
    () => outcomeOf(kernel.apply(container)),
    async () => (await kernel.observe([...changed.objects, ...container.objects])).map(({ state }) => state),
    async () => (await kernel.listLinks(ns)).map(({ name }) => name).sort(),
    async () =>
      (await kernel.listAddresses(ns))
        .filter(({ link, prefix }) => link === 'eth0' && !prefix.includes(':'))
        .map(({ prefix }) => prefix),
    () => kernel.listNftElements({ family: 'ip', table: 'netyard', set: 'publish' }),
    () => kernel.listNftElements({ family: 'ip', table: 'netyard', set: 'peers' }),
    () => outcomeOf(kernel.apply(changed)),
    () => outcomeOf(kernel.remove(container, { dryRun: true })),
    () => outcomeOf(kernel.remove(container)),
    () => outcomeOf(kernel.remove(container)),
    () => outcomeOf(kernel.remove(network)),
    async () => (await kernel.observe([...network.objects, ...container.objects])).map(({ state }) => state),
  ];
  const answers: unknown[] = [];
  for (const step of steps) answers.push(await step());
  return answers;
}

test('the fake kernel and the real kernel return the same answers', host, async () => {
  const real = openKernel();
  assert.deepEqual(await script(new FakeKernel()), await script(real));
  real.close();
});
