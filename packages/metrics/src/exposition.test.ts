/** The text format: names, escapes, numbers, histograms. Read back by testkit's parser, which is independent. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseScrape } from '@netyard/testkit';
import { Activity } from './activity.ts';
import { family, formatFamilies, formatNumber, single } from './exposition.ts';
import { Histogram } from './histogram.ts';

test('label values of any text are read back unchanged', () => {
  for (const value of ['plain', 'with "quotes"', 'back\\slash', 'line\nend', '\\n', '{a="b"} 1', '名称', '']) {
    const text = formatFamilies([family('gauge', 'x', 'help', [value], (name) => [{ name }, 1])]);
    assert.equal(text.split('\n').length, 4, 'one line per series');
    assert.deepEqual(parseScrape(text).get('x')?.series, [{ name: 'x', labels: { name: value }, value: 1 }]);
  }
});

test('a lone surrogate is replaced, help texts are escaped, and names are checked', () => {
  assert.match(formatFamilies([family('gauge', 'x', 'h', ['\ud800'], (name) => [{ name }, 1])]), /name="\ufffd"/);
  assert.match(formatFamilies([single('gauge', 'x', 'a\nb\\c', 1)]), /^# HELP x a\\nb\\\\c\n# TYPE x gauge\nx 1\n$/);
  assert.throws(() => formatFamilies([single('gauge', 'a-b', '', 1)]), /invalid metric name/);
  assert.throws(() => formatFamilies([family('gauge', 'x', '', [1], () => [{ 'a-b': '' }, 1])]), /invalid label name/);
});

test('numbers have the form that Go reads, and a family without series is left out', () => {
  assert.deepEqual([1, 0.25, 1e21, Infinity, -Infinity, NaN].map(formatNumber), [
    ...['1', '0.25', '1e+21', '+Inf', '-Inf', 'NaN'],
  ]);
  assert.equal(formatFamilies([single('gauge', 'x', 'help', undefined)]), '');
});

test('buckets of a histogram are cumulative, and a duration on a bound belongs to its bucket', () => {
  const histogram = new Histogram('action', ['start', 'stop'], [0.1, 1]);
  for (const seconds of [0.05, 0.1, 0.5, 7]) histogram.observe('start', seconds);
  const { series = [] } = parseScrape(formatFamilies([histogram.family('x_seconds', 'help')])).get('x_seconds') ?? {};
  const valuesOf = (action: string) =>
    series.filter(({ labels }) => labels['action'] === action).map((one) => one.value);
  assert.deepEqual(valuesOf('start'), [2, 3, 4, 7.65, 4]);
  assert.deepEqual(valuesOf('stop'), [0, 0, 0, 0, 0]);
});

test('only successful actions count, by route; repairs and answers count by kind and code', () => {
  const activity = new Activity();
  const request = { method: 'POST', route: '/containers/:id/start', status: 204, seconds: 0.2 };
  activity.noteRequest(request);
  activity.noteRequest({ ...request, status: 304 });
  activity.noteRequest({ ...request, status: 500 });
  activity.noteRequest({ ...request, method: 'GET', route: '/containers/json', status: 200 });
  activity.noteRepairs(['veth', 'route', 'veth']);
  for (const rcode of [0, 3, 9]) activity.noteDnsAnswer(rcode);
  const families = parseScrape(formatFamilies(activity.families()));
  const countOf = (name: string, value: string): number | undefined =>
    families
      .get(name.replace(/_count$/, ''))
      ?.series.find((one) => one.name === name && Object.values(one.labels).includes(value))?.value;
  assert.equal(countOf('engine_daemon_container_actions_seconds_count', 'start'), 1);
  assert.equal(countOf('engine_daemon_container_actions_seconds_count', 'create'), 0);
  assert.deepEqual(
    ['veth', 'route', 'address'].map((kind) => countOf('netyard_repairs_total', kind)),
    [2, 1, undefined],
  );
  assert.deepEqual(
    ['NOERROR', 'NXDOMAIN', 'REFUSED', 'OTHER'].map((rcode) => countOf('netyard_dns_queries_total', rcode)),
    [1, 1, 0, 1],
  );
});
