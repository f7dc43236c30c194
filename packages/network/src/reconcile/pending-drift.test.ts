import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Attached } from '../attachments.ts';
import type { EndpointState } from '../contract.ts';
import { PendingDrift } from './pending-drift.ts';

const owner = (id: string, ...networkIds: string[]): Attached => ({
  ...{ id, name: id, ports: [] },
  endpoints: networkIds.map((networkId) => ({ networkId }) as EndpointState),
});

function open(owners: Readonly<Record<string, string>> = {}) {
  let scheduled = 0;
  const running = [owner('one', 'a'), owner('two', 'b'), owner('both', 'a', 'b')];
  const pending = new PendingDrift(
    { attachments: { running: () => running }, hostLinks: { ownerOf: (link) => owners[link] } },
    () => {
      scheduled += 1;
    },
  );
  return { pending, scheduled: () => scheduled };
}

test('what is taken is forgotten, and all networks include single ones', () => {
  const { pending, scheduled } = open();
  pending.markSegment('a', 2);
  pending.markContainers('b');
  assert.deepEqual(pending.take(), {
    ...{ networks: new Set(['a']), segments: new Map([['a', new Set([2])]]), containers: new Set(['two', 'both']) },
  });
  assert.deepEqual(pending.take(), { networks: undefined, segments: new Map(), containers: new Set() });
  pending.markNetwork('a');
  pending.markAll();
  pending.markNetworks('links');
  const { networks, containers } = pending.take();
  assert.deepEqual([networks, containers], ['all', new Set(['one', 'two', 'both'])]);
  assert.equal(scheduled(), 6);
});

test('an interface counts unless it is as planned again, or no container’s any more', () => {
  const { pending } = open({ kept: 'one', repaired: 'two', moved: 'both' });
  for (const link of ['kept', 'repaired', 'gone']) pending.markHostLink(link, link === 'kept' ? 'one' : 'two');
  pending.markHostLink('moved', 'one');
  pending.clearHostLink('repaired');
  assert.deepEqual(pending.take().containers, new Set(['one']));
});

test('what is added waits for the next comparison, without scheduling one', () => {
  const { pending, scheduled } = open();
  pending.addContainer('one');
  pending.addAllPeers();
  assert.equal(scheduled(), 0);
  assert.deepEqual([pending.takePeers(), pending.takePeers()], ['all', undefined]);
  assert.deepEqual(pending.take().containers, new Set(['one']));
});
