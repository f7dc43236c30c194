/** A short run of script/fuzz: no request crashes the daemon or reveals internal errors. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { findFaults, formatSummary, runFuzz } from '../fuzz/run.ts';
import { cannotRun } from './support/engines.ts';
import { openHost } from './support/host.ts';

describe('requests of all kinds', { skip: cannotRun('netyard') }, () => {
  test('1500 valid and mutated requests cause no crash, unexpected 500 or growth', async () => {
    const host = await openHost('netyard', { images: ['netyard-test'] });
    try {
      const summary = await runFuzz(host, { requests: 1_500, seed: 8, parallel: 16, report: () => {} });
      assert.deepEqual(findFaults(summary), [], formatSummary(summary));
      assert.equal(summary.requests, 1_500);
      assert.ok((summary.answers['2xx'] ?? 0) > 150, formatSummary(summary));
      assert.ok((summary.answers['4xx'] ?? 0) > 150, formatSummary(summary));
    } finally {
      await host.close();
    }
  });
});
