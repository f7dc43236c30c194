import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseUnchangedMappings } from './program-pages.ts';

const mapping = (range: string, flags: string, path: string, anonymous: number): string =>
  `${range} ${flags} 0042e000 fe:00 5579436                   ${path}\nSize: 44396 kB\nRss: 32748 kB\nAnonymous:      ${anonymous} kB\nVmFlags: rd ex mr\n`;

test('read-only mappings of the file without pages of their own are found', () => {
  const smaps = [
    mapping('00400000-0082e000', 'r--p', '/usr/bin/node', 0),
    mapping('0082e000-03489000', 'r-xp', '/usr/bin/node', 0),
    mapping('072a7000-072dc000', 'r--p', '/usr/bin/node', 24),
    mapping('072dc000-07304000', 'rw-p', '/usr/bin/node', 0),
    mapping('7f0000000000-7f0000100000', 'r--p', '/usr/lib/libc.so.6', 0),
    mapping('7f0000200000-7f0000300000', 'r--p', '', 0),
  ];
  assert.deepEqual(parseUnchangedMappings(smaps.join(''), '/usr/bin/node'), [
    { start: 0x400000n, length: 0x42e000n },
    { start: 0x82e000n, length: 0x2c5b000n },
  ]);
});
