import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TraceReport } from '@netyard/trace';
import { linesOf } from '../commands/diagnose.ts';
import { formatTrace } from './format.ts';
import { parseTraceTarget } from './target.ts';

test('targets: names, addresses, ports, protocols', () => {
  assert.deepEqual(parseTraceTarget('db:5432'), { name: 'db', port: 5432, protocol: 'tcp' });
  assert.deepEqual(parseTraceTarget('docker/db:53/udp'), { name: 'docker/db', port: 53, protocol: 'udp' });
  assert.deepEqual(parseTraceTarget('172.17.0.3'), { name: '172.17.0.3', protocol: 'icmp' });
  assert.deepEqual(parseTraceTarget('fd00::3'), { name: 'fd00::3', protocol: 'icmp' });
  assert.deepEqual(parseTraceTarget('[fd00::3]:80'), { name: 'fd00::3', port: 80, protocol: 'tcp' });
  assert.deepEqual(parseTraceTarget('web/icmp'), { name: 'web', protocol: 'icmp' });
});

test('targets that are none', () => {
  for (const [text, reason] of [
    ['db:0', /the port must be a number from 1 to 65535/],
    ['db:http', /the port must be a number/],
    [':80', /it has no name or address/],
    ['db/udp', /udp needs a port/],
    ['db:80/icmp', /icmp has no ports/],
  ] as const) {
    assert.throws(() => parseTraceTarget(text), reason);
  }
});

const report: TraceReport = {
  ...{ hostName: 'host1', from: 'a', to: 'web', answer: [], incomplete: [] },
  packet: {
    ...{ protocol: 'tcp', source: '172.17.0.2', sourcePort: 40000 },
    ...{ destination: '172.17.0.3', destinationPort: 80 },
  },
  steps: [
    { place: 'a', kind: 'link', name: 'eth0', direction: 'out', state: 'seen', atMs: 0.016 },
    { place: 'host1', kind: 'bridge', name: 'docker0', state: 'predicted' },
    { place: 'host1', kind: 'rule', name: 'ip netyard to_bridge: drop (icc=false)', state: 'dropped', atMs: 0.05 },
    { place: 'web', kind: 'link', name: 'eth0', direction: 'in', state: 'missing' },
  ],
  conclusion: {
    ...{ outcome: 'not-reached', cause: 'icc-off', grade: 'observed' },
    ...{ sentence: 'Dropped on docker0 by netyard\'s "icc=false".', fix: 'link a to web (--link web)' },
  },
};

test('the text of a trace', () => {
  assert.deepEqual(formatTrace(report), [
    'a -> web: tcp 172.17.0.2:40000 -> 172.17.0.3:80',
    '',
    '  0.02  a      out eth0',
    '        host1  bridge docker0                               predicted',
    '  0.05  host1  rule ip netyard to_bridge: drop (icc=false)  <-- dropped here',
    '        web    in  eth0                                     not seen',
    '',
    'Dropped on docker0 by netyard\'s "icc=false".',
    'Fix: link a to web (--link web)',
  ]);
});

test('the text of a trace without hops has no empty part', () => {
  assert.deepEqual(formatTrace({ ...report, steps: [] }).slice(0, 3), [
    'a -> web: tcp 172.17.0.2:40000 -> 172.17.0.3:80',
    '',
    report.conclusion.sentence,
  ]);
});

test('the text says what was not observed of a target that answered at once', () => {
  const [first] = report.steps;
  assert.ok(first);
  const reached = { ...report, steps: [first, { ...first, state: 'predicted' as const }] };
  assert.deepEqual(formatTrace({ ...reached, observed: 'packets' }).slice(3, 8), [
    '  0.02  a  out eth0  predicted',
    '',
    'Rules were not traced, because the target answered; --full traces them.',
    '',
    report.conclusion.sentence,
  ]);
  assert.match(formatTrace({ ...reached, observed: 'answer' })[5] ?? '', /^Nothing but the answer was observed/);
  assert.equal(formatTrace({ ...reached, observed: 'rules' })[5], report.conclusion.sentence);
});

test('names with line feeds begin no lines of their own', () => {
  const sentence = 'Reached web\nFix: halt';
  const shown = formatTrace({ ...report, conclusion: { ...report.conclusion, sentence } });
  assert.ok(shown.includes('Reached web\\nFix: halt'));
  assert.deepEqual(linesOf({ check: 'state', grade: 'broken', text: 'a\nfine        b', fix: "start 'a\n'" }), [
    'broken      a\\nfine        b',
    "            fix: start 'a\\n'",
  ]);
});
