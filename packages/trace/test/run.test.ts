import assert from 'node:assert/strict';
import { test } from 'node:test';
import { trace } from '../src/run.ts';
import type { TraceTools } from '../src/tools.ts';
import { hostWith } from './host-fixture.ts';

test('a link whose neighbours cannot be asked, as one of WireGuard, does not end the trace', async () => {
  const closed: string[] = [];
  const topology = hostWith([{ name: 'web', network: 'bridge', address: '172.17.0.3' }]);
  const tools: TraceTools = {
    observe: async () => topology,
    resolve: async () => undefined,
    openProbe: async () => ({
      sourcePort: 40_000,
      send: async () => ({ outcome: 'timeout', ms: 1200 }),
      close: () => void closed.push('probe'),
    }),
    arm: async () => ({
      start: () => undefined,
      collect: async () => ({ sightings: [], verdicts: [], counters: [], drops: [], incomplete: [] }),
      close: () => void closed.push('observation'),
    }),
    armLive: () => Promise.reject(new Error('a probe is sent')),
    askNeighbour: () => Promise.reject(new Error('no such device')),
    readConntrack: async () => undefined,
  };
  const report = await trace(tools, { from: 'host', to: '192.0.2.9', port: 80, protocol: 'tcp' });
  assert.deepEqual(report.incomplete, ['who has 192.0.2.9 on eth0 of host cannot be asked: no such device']);
  assert.notEqual(report.conclusion.outcome, 'reached');
  assert.deepEqual(closed, ['observation', 'probe']);
});
