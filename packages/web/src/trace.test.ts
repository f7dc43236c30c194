import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTraceReport, planTraceArguments } from './trace.ts';

test('a request becomes the arguments of netyard trace', () => {
  const ends = { from: 'netyard/a', to: 'docker/b' };
  assert.deepEqual(planTraceArguments({ ...ends, protocol: 'icmp' }), ['netyard/a', 'docker/b/icmp']);
  assert.deepEqual(planTraceArguments({ ...ends, port: 53, protocol: 'udp' }), ['netyard/a', 'docker/b:53/udp']);
  const six = { from: 'host', to: 'fd00::2', port: 80, protocol: 'tcp' as const };
  assert.deepEqual(planTraceArguments(six), ['host', '[fd00::2]:80/tcp']);
});

test('a report becomes what the page draws: without the evidence, and of bounded length', () => {
  const step = { place: 'a', kind: 'link', name: 'eth0', direction: 'out', state: 'seen', atMs: 0.1, packet: {} };
  const far = { ...step, host: 's', place: 's/b' };
  const conclusion = {
    outcome: 'not-reached',
    cause: 'x',
    sentence: 'Dropped.',
    fix: 'ip link set',
    grade: 'observed',
  };
  const report = {
    hostName: 'h',
    steps: [far, ...Array(600).fill(step)],
    answer: [],
    conclusion,
    incomplete: ['x'],
    evidence: {},
  };
  const { steps, ...answer } = parseTraceReport(JSON.stringify(report));
  assert.deepEqual(answer, { hostName: 'h', ...conclusion, incomplete: ['x'], answer: [] });
  const { packet: _, ...shown } = step;
  assert.deepEqual([steps.length, steps[0], steps[1]], [500, { ...shown, host: 's', place: 's/b' }, shown]);
  assert.throws(() => parseTraceReport('Usage:'), /printed no report/);
});
