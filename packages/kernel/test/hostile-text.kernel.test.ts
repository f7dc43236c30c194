/**
 * Hostile text in names, comments and files: the printed script creates what apply creates and executes none of the
 * text.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { after, describe, test } from 'node:test';
import { type KernelPlan, openKernel, printShell } from '@netyard/kernel';
import { inFreshHost } from '@netyard/testkit';

const host = await inFreshHost(import.meta.url);
const canary = '/run/netns/executed';
const run = `touch ${canary}`;

const texts = [
  `$(${run})`,
  `\`${run}\``,
  `'; ${run}; '`,
  `"; ${run}; "`,
  `'"'"'; ${run}; #`,
  `line\nEOF\n${run}\nNFT\n${run}`,
  `\\$(${run})\\`,
  `-n ${run}`,
  `ünï ✓ \u202e ${run}`,
  'x'.repeat(128),
];
/** Comments of nftables elements contain neither quotes, backslashes nor line ends, and at most 127 bytes. */
const isComment = (text: string): boolean => !/["\\\n]/.test(text) && Buffer.byteLength(text) <= 127;

const file = '/run/netns/file';

const planOf = (text: string): KernelPlan => ({
  owner: `container ${text}`,
  objects: [
    { kind: 'bridge', name: 'br9', owner: `netyard: ${text}`, up: true },
    { kind: 'nft-table', family: 'ip', name: 'hostile', body: '\tset names { type ifname; }\n' },
    {
      ...{ kind: 'nft-element', family: 'ip', table: 'hostile', set: 'names', key: '"br9"' },
      comment: isComment(text) ? text : 'none',
    },
    { kind: 'file', path: file, content: text },
    { kind: 'file', path: `${file}2`, content: `${text}\n` },
  ],
});

const alias = (): string =>
  (JSON.parse(execFileSync('ip', ['-j', 'link', 'show', 'br9'], { encoding: 'utf8' })) as { ifalias: string }[])[0]
    ?.ifalias ?? '';
const state = (): unknown => [
  alias(),
  execFileSync('nft', ['-j', 'list', 'set', 'ip', 'hostile', 'names'], { encoding: 'utf8' }).replace(
    /"handle": \d+/g,
    '',
  ),
  readFileSync(file, 'utf8'),
  readFileSync(`${file}2`, 'utf8'),
];

describe('hostile text', host, () => {
  const kernel = openKernel();
  after(() => kernel.close());

  for (const text of texts) {
    test(JSON.stringify(text.slice(0, 40)), async () => {
      const plan = planOf(text);
      await kernel.apply(plan);
      const applied = state();
      await kernel.remove(plan);
      execFileSync('sh', ['-eu'], { input: printShell(plan), stdio: ['pipe', 'ignore', 'pipe'] });
      assert.deepEqual(state(), applied);
      assert.equal(readFileSync(file, 'utf8'), text);
      assert.ok(alias().startsWith('netyard: '));
      assert.ok(!existsSync(canary));
      await kernel.remove(plan);
    });
  }
});
