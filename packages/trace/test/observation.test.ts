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

test('a reduced observation keeps what was read, also by a read that is still under way', async () => {
  const [, web] = hostWith([{ name: 'web', network: 'bridge', address: '172.17.0.3' }]).namespaces;
  assert.ok(web);
  const headers = { version: 4, source: '172.17.0.2', destination: '172.17.0.3', protocol: 6, length: 60, ttl: 64 };
  const pending = [{ ...{ namespace: web.path, link: 'eth0', linkIndex: 2, direction: 'in', time: 0n }, headers }];
  const log: string[] = [];
  const slow = Promise.withResolvers<void>();
  const watch = {
    read: async () => {
      const packets = pending.splice(0);
      await slow.promise;
      return { packets, drops: [] };
    },
    incomplete: false,
    stopPackets: () => log.push('stop packets'),
    close: () => log.push('close'),
  };
  const tracing = {
    readCounters: (): NamespaceCounters => ({ protocols: new Map(), links: new Map() }),
    openPacketWatch: () => watch,
    openRuleTrace: () => ({ read: () => [], incomplete: false, disarm: () => log.push('disarm'), close: () => {} }),
  } as unknown as PacketTracing;
  const match = { family: 4, protocol: 'tcp', id: 40_000 } as const;
  const observation = openObservation(tracing, { namespaces: [web], match, outgoing: true });
  const reads = [observation.peek(), observation.collect().then(({ sightings }) => sightings)];
  observation.reduce();
  assert.deepEqual(log, ['disarm', 'stop packets']);
  slow.resolve();
  for (const sightings of await Promise.all(reads))
    assert.deepEqual(
      sightings.map(({ link }) => link),
      ['eth0'],
    );
  observation.close();
});

test('what one end of a veth pair receives, the other end has sent; drops name where the packet was', async () => {
  const topology = hostWith([{ name: 'web', network: 'bridge', address: '172.17.0.3' }]);
  const [host, web] = topology.namespaces;
  assert.ok(host && web);
  const headers = { version: 4, source: '172.17.0.2', destination: '172.17.0.3', protocol: 6, length: 60, ttl: 64 };
  const packet = { ...{ namespace: web.path, link: 'eth0', linkIndex: 2, direction: 'in', time: 0n }, headers };
  const watch = {
    read: async () => ({
      packets: [packet],
      drops: [{ ...{ namespace: web.path, link: 'eth0', time: 1n, reason: 'TCP_CSUM' }, headers }],
    }),
    incomplete: true,
    close: () => {},
  };
  const tracing = {
    readCounters: (): NamespaceCounters => ({ protocols: new Map(), links: new Map() }),
    openPacketWatch: () => watch,
    openRuleTrace: () => ({ read: () => [], incomplete: false, close: () => {} }),
  } as unknown as PacketTracing;
  const match = { family: 4, protocol: 'tcp', id: 40_000 } as const;
  for (const outgoing of [false, true]) {
    const observation = openObservation(tracing, { namespaces: [host, web], match, outgoing });
    const { sightings, drops, incomplete } = await observation.collect();
    assert.deepEqual(
      sightings.map(({ namespaceId, link, direction }) => [namespaceId, link, direction]),
      [...(outgoing ? [] : [[host.id, 'veth0', 'out']]), [web.id, 'eth0', 'in']],
    );
    assert.deepEqual([drops[0]?.namespaceId, drops[0]?.link, drops[0]?.reason], [web.id, 'eth0', 'TCP_CSUM']);
    assert.deepEqual(incomplete, ['some packets were not seen']);
    observation.close();
  }
});
