import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetyardError } from '@netyard/core';
import type { NamespaceCounters, PacketTracing } from '@netyard/kernel';
import { openObservation } from '../src/observation.ts';
import { hostWith } from './host-fixture.ts';

test('a container that ends while it is traced leaves what was seen, and says what is missing', async () => {
  const match = { family: 4, protocol: 'tcp', id: 40_000 } as const;
  const closed: string[] = [];
  const read = new Set<string | undefined>();
  const tracing = {
    readCounters: (ns?: string): NamespaceCounters => {
      if (read.has(ns)) throw new Error('no such file or directory');
      read.add(ns);
      return { protocols: new Map(), links: new Map() };
    },
    openPacketWatch: () => {
      throw new NetyardError('unavailable', 'no BTF');
    },
    openTap: () => ({ read: () => [], dropped: 0, close: () => closed.push('tap') }),
    openRuleTrace: () => ({ read: () => [], incomplete: false, close: () => closed.push('rules') }),
  } as unknown as PacketTracing;
  const namespaces = hostWith([{ name: 'web', network: 'bridge', address: '172.17.0.3' }]).namespaces.slice(1);
  const observation = openObservation(tracing, { namespaces, match, outgoing: false });
  const { incomplete, counters } = await observation.collect();
  assert.deepEqual(incomplete, [
    "the kernel's reasons for drops are not known: no BTF",
    'the counters of web cannot be read: no such file or directory',
  ]);
  assert.deepEqual(counters, []);
  observation.close();
  assert.deepEqual(closed, ['tap', 'rules']);
});
