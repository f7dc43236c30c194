import assert from 'node:assert/strict';
import { test } from 'node:test';
import { portsText } from './containers.ts';
import { binarySize, ellipsis, formatG, humanDuration, humanSize, naturalCompare, quote } from './human.ts';
import { renderListing } from './listing.ts';
import { alignTabs } from './table.ts';

test('sizes have docker’s units and rounding', () => {
  const cases: [number, string, string][] = [
    [0, '0B', '0B'],
    [999, '999B', '999B'],
    [1000, '1kB', '1000B'],
    [1023, '1.023kB', '1023B'],
    [1_048_576, '1.049MB', '1MiB'],
    [187_654_321, '187.7MB', '179MiB'],
    [25_270_000_000, '25.27GB', '23.53GiB'],
  ];
  for (const [bytes, decimal, binary] of cases)
    assert.deepEqual([humanSize(bytes), binarySize(bytes)], [decimal, binary]);
  assert.equal(humanSize(187_654_321, 3), '188MB');
  assert.equal(formatG(1e6, 3), '1e+06');
  assert.equal(formatG(0.00001234, 3), '1.23e-05');
});

test('ages have docker’s wording', () => {
  const cases: [number, string][] = [
    [0.4, 'Less than a second'],
    [1, '1 second'],
    [59, '59 seconds'],
    [60, 'About a minute'],
    [119, 'About a minute'],
    [120, '2 minutes'],
    [46 * 60, '46 minutes'],
    [3600, 'About an hour'],
    [5400, '2 hours'],
    [47 * 3600, '47 hours'],
    [48 * 3600, '2 days'],
    [14 * 86400, '2 weeks'],
    [60 * 86400, '2 months'],
    [800 * 86400, '2 years'],
  ];
  for (const [seconds, text] of cases) assert.equal(humanDuration(seconds), text);
});

test('texts are truncated, quoted and sorted like docker’s', () => {
  assert.equal(ellipsis('äöüß', 3), 'äö…');
  assert.equal(ellipsis('abc', 3), 'abc');
  assert.equal(quote('a"b\\c\n\x01ü'), '"a\\"b\\\\c\\n\\x01ü"');
  assert.deepEqual(['web10', 'web2', 'web'].sort(naturalCompare), ['web', 'web2', 'web10']);
});

test('a column is as wide as its widest cell in consecutive lines', () => {
  assert.equal(alignTabs('A\tB\nlonger-than-ten\tx\n'), 'A                 B\nlonger-than-ten   x\n');
  assert.equal(alignTabs('a\tb\n\nlonger-than-ten\tx\n'), 'a         b\n\nlonger-than-ten   x\n');
});

test('adjacent ports with unchanged numbers become a range, others are listed singly', () => {
  const port = (PrivatePort: number, PublicPort?: number, IP = '0.0.0.0') =>
    PublicPort === undefined
      ? { PrivatePort, Type: 'tcp' as const }
      : { PrivatePort, PublicPort, IP, Type: 'tcp' as const };
  assert.equal(portsText([port(81), port(80), port(90)]), '80-81/tcp, 90/tcp');
  assert.equal(
    portsText([port(80, 80), port(81, 81), port(443, 8443)]),
    '0.0.0.0:80-81->80-81/tcp, 0.0.0.0:8443->443/tcp',
  );
  assert.equal(portsText([port(80, 8080, '::')]), '[::]:8080->80/tcp');
});

test('the default table is what its template prints, and computes only fields that it shows', () => {
  const listing = { headers: { A: 'FIRST', B: 'SECOND', C: 'THIRD' }, columns: ['A', 'B'], typeName: '*x.y' };
  const rows = [
    { A: 'one', B: 'two', C: 'three' },
    {
      A: null,
      B: '<&>',
      get C(): string {
        throw new Error('computed');
      },
    },
  ];
  const text = renderListing(listing, rows, { format: '' });
  assert.equal(text, 'FIRST        SECOND\none          two\n<no value>   <&>\n');
  assert.equal(renderListing(listing, rows, { format: 'table {{.A}}\\t{{.B}}' }), text);
  assert.throws(() => renderListing(listing, rows, { format: '{{.C}}' }), /computed/);
});
