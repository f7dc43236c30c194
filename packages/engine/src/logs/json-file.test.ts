import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatLogTime, parseEntry, parseLogTime } from './json-file.ts';

test('times are printed as Go prints RFC3339Nano, and parsed back', () => {
  const cases: [bigint, string][] = [
    [1_700_000_000_123_456_789n, '2023-11-14T22:13:20.123456789Z'],
    [1_700_000_000_120_000_000n, '2023-11-14T22:13:20.12Z'],
    [1_700_000_000_000_000_000n, '2023-11-14T22:13:20Z'],
  ];
  for (const [time, text] of cases) {
    assert.equal(formatLogTime(time), text);
    assert.equal(parseLogTime(text), time);
  }
  assert.equal(parseLogTime('2023-11-14T23:13:20.5+01:00'), 1_700_000_000_500_000_000n);
  assert.equal(parseLogTime('yesterday'), undefined);
});

test('an invalid entry is recognised', () => {
  const line = '{"log":"x","stream":"stderr","attrs":{"a":"b"},"time":"2023-11-14T22:13:20Z"}';
  const head = { stream: 'stderr', time: 1_700_000_000_000_000_000n, attributes: { a: 'b' } };
  assert.deepEqual(parseEntry(line), { log: 'x', head });
  for (const bad of ['', '{', '[]', '{"log":"x","stream":"stdin","time":"x"}', 'null'])
    assert.equal(parseEntry(bad), undefined);
});
