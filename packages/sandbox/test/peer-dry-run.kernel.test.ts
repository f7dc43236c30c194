/**
 * Tests on a real kernel that the dry run of a peer returns exactly the operations that are then performed: for a peer
 * on the same segment, and for the first and a second peer behind a router.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { EventQueue, type Kernel, type KernelOperation, openKernel } from '@netyard/kernel';
import { addUplink, inFreshHost, sh } from '@netyard/testkit';
import { comparePeer } from './compare-peer.ts';
import { Testbed } from './testbed.ts';

const host = inFreshHost(import.meta.url);
const near = { name: 'near', address: '192.0.2.2', subnets: ['192.168.12.0/24', '10.12.0.0/16'] };
const far = { name: 'far', address: '198.51.100.2', subnets: ['192.168.13.0/24'] };
const third = { name: 'third', address: '198.51.100.3', subnets: ['192.168.14.0/24'] };

/** Notes the operations of a kernel. It reports no events, so that no repair adds operations of its own. */
function notingKernel(): { kernel: Kernel; done: KernelOperation[] } {
  const kernel = openKernel();
  const done: KernelOperation[] = [];
  const [apply, remove] = [kernel.apply.bind(kernel), kernel.remove.bind(kernel)];
  const noted = async (run: typeof apply, ...[plan, options]: Parameters<typeof apply>) => {
    const report = await run(plan, options);
    if (!options?.dryRun) done.push(...report.operations);
    return report;
  };
  kernel.apply = (plan, options) => noted(apply, plan, options);
  kernel.remove = (plan, options) => noted(remove, plan, options);
  kernel.watch = (signal) => {
    const queue = new EventQueue<never>();
    signal.addEventListener('abort', () => queue.end(), { once: true });
    return queue;
  };
  return { kernel, done };
}

/** Without packet counters and the carrier, which the kernel settles later. */
const objects = (ns: string): string =>
  sh(`ip route; ip -o link | cut -d: -f2- | sort; ip -n ${ns} -o link; bridge fdb | grep dst || true
    ip neighbour show nud permanent; nft list table ip netyard`)
    .replaceAll(/packets \d+ bytes \d+/g, '')
    .replaceAll(/state \w+ | qlen \d+|NO-CARRIER,|,LOWER_UP| linkdown/g, '');

describe('the dry run of a peer', host, () => {
  const { kernel, done } = notingKernel();
  const testbed = new Testbed({ kernel });
  let ns = '';
  before(async () => {
    addUplink();
    sh('ip route add default via 192.0.2.254');
    await testbed.networks.start([]);
    ns = (await testbed.run('web')).netnsPath?.split('/').pop() ?? '';
  });
  after(async () => {
    await testbed.close();
    kernel.close();
  });

  const compare = (request: Parameters<typeof comparePeer>[1]): Promise<KernelOperation[]> =>
    comparePeer(testbed.networks, request, {
      done: () => done,
      state: async () => [
        objects(ns),
        testbed.store.peers(),
        (await testbed.networks.peers()).map(({ record, path, problems }) => ({ record, path, problems })),
        testbed.networks.explain('web'),
        [...testbed.events],
      ],
    });
  const changes = (operations: readonly KernelOperation[]): string[] =>
    operations.filter(({ action }) => action === 'change').map(({ object }) => object.kind);

  test('a peer on the same segment', async () => {
    assert.deepEqual(changes(await compare({ add: near })), []);
    assert.deepEqual(changes(await compare({ remove: 'near' })), []);
  });

  test('the first peer behind a router, which changes the MTU of bridge and containers, and a second one', async () => {
    assert.deepEqual(changes(await compare({ add: far })), ['bridge', 'veth']);
    assert.deepEqual(changes(await compare({ add: third })), []);
    assert.deepEqual(changes(await compare({ remove: 'third' })), []);
    assert.deepEqual(changes(await compare({ remove: 'far' })), ['bridge', 'veth']);
  });

  test('a host of the cluster that is admitted when the peer is removed', async () => {
    await testbed.networks.addPeer(near);
    await testbed.networks.setClusterPeers([{ ...far, subnets: ['192.168.12.0/24'] }]);
    assert.deepEqual(changes(await compare({ remove: 'near' })), ['bridge', 'veth']);
  });
});
