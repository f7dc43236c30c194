/** Segments that are removed when packets within bridges pass the firewall. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KernelObject } from '@netyard/kernel';
import type { NetworkRecord } from './contract.ts';
import { HostLinks } from './host-links.ts';
import { removeSegments, type SegmentsDependencies } from './segments.ts';

const record: NetworkRecord = {
  ...{ id: 'f'.repeat(64), name: 'large', driver: 'bridge', created: 0n, internal: false, attachable: false },
  ipam: { driver: 'default', v4: [{ subnet: '10.9.0.0/16', gateway: '10.9.0.1' }] },
  ...{ options: {}, labels: {}, predefined: false },
};

/** What is removed of a network with so many endpoints, 500 of them on each bridge, and what is logged. */
async function removedOf(endpoints: number): Promise<{ bridges: string[]; warnings: string[] }> {
  const hostLinks = new HostLinks();
  for (let index = 0; index < endpoints; index += 1)
    hostLinks.add({ hostLink: `link${index}`, networkId: record.id, segment: Math.floor(index / 500) }, 'owner');
  const removed: KernelObject[] = [];
  const warnings: string[] = [];
  await removeSegments({
    ...{ hostLinks, networks: new Map([[record.id, record]]), settings: { mtu: 0 }, knownSegments: new Set(['one']) },
    facts: { ipv6: true, ipForward: true, bridgeNetfilter: true, bridgeNetfilter6: false },
    kernel: { remove: async ({ objects }: { objects: KernelObject[] }) => void removed.push(...objects) },
    logger: { warn: (text: string) => warnings.push(text) },
    ...{ mtuLimit: undefined, ownDeletion: () => undefined },
  } as unknown as SegmentsDependencies);
  return { bridges: removed.flatMap((object) => (object.kind === 'bridge' ? [object.name] : [])), warnings };
}

test('segments are removed when all ports fit on one bridge', async () => {
  assert.deepEqual(await removedOf(1023), { bridges: ['nybffffffffff01', 'nybffffffffff02'], warnings: [] });
  assert.deepEqual(await removedOf(400), { bridges: [], warnings: [] });
});

test('segments stay, with a warning, when one bridge has too few ports', async () => {
  const { bridges, warnings } = await removedOf(1024);
  assert.deepEqual(bridges, []);
  assert.match(warnings.join(), /^a network has more endpoints than one bridge has ports/);
});
