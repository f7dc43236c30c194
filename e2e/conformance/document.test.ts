/** The document that script/conformance writes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDocument } from './document.ts';
import type { Outcome } from './run.ts';

const outcome = (line: string, verdict: Outcome['verdict'], reason = ''): Outcome => ({
  ...{ group: 'create', line, verdict, reason, netyard: '', dockerd: '' },
});

test('the document has a table for each group, with reasons', () => {
  const text = formatDocument([outcome('a | b', 'same'), outcome('c `d`', 'different', 'why')], '1.2.3');
  assert.match(text, /dockerd 1\.2\.3 and on Netyard/);
  assert.match(text, /^2 scenarios: 1 same, 1 different, 0 fail\.$/m);
  assert.match(text, /^## create$/m);
  assert.ok(text.includes('| `a \\| b` | same |\n| `` c `d` `` | different: why |'));
});
