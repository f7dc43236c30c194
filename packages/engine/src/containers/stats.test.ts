import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { test } from 'node:test';
import { parseHostCpu } from './stats.ts';

test('the CPU time of the host and its CPUs are those of /proc/stat', () => {
  const stat = 'cpu  10 1 20 300 4 0 5 7 0 0\ncpu0 5 1 10 150 2 0 2 3 0 0\ncpu11 5 0 10 150 2 0 3 4 0 0\nintr 99 1\n';
  assert.deepEqual(parseHostCpu(stat), { systemCpu: 340 * 10_000_000, onlineCpus: 2 });
  assert.equal(parseHostCpu(readFileSync('/proc/stat', 'utf8')).onlineCpus, cpus().length);
});
