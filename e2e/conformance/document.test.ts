/** docs/conformance.md belongs to the scenarios as they are. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatDocument } from './document.ts';
import { asScenario, type Outcome } from './run.ts';
import { scenarioGroups } from './scenarios.ts';

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

test('docs/conformance.md lists the present scenarios and reasons; else run script/conformance --document', () => {
  const text = readFileSync(join(import.meta.dirname, '../../docs/conformance.md'), 'utf8');
  const reasons = scenarioGroups.flatMap(({ scenarios }) =>
    scenarios.flatMap((each) => asScenario(each).differs ?? []),
  );
  const listed = [...text.matchAll(/ \| different: (.*) \|$/gm)].map(([, reason = '']) =>
    reason.replaceAll('\\|', '|'),
  );
  for (const reason of listed) assert.ok(reasons.includes(reason), `no scenario differs because: ${reason}`);
  const titles = [...text.matchAll(/^## (.*)$/gm)].map(([, title]) => title);
  assert.deepEqual(
    titles,
    scenarioGroups.map(({ title }) => title),
  );
  const total = scenarioGroups.reduce((sum, { scenarios }) => sum + scenarios.length, 0);
  assert.match(text, new RegExp(`^${total} scenarios: .* 0 fail\\.$`, 'm'));
});
