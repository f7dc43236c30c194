/** Runs the examples of README.md and compares their output. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { inFreshHost } from '@netyard/testkit';

const host = inFreshHost(import.meta.url);
const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const blocks = (language: string): string[] =>
  [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map((match) => match[1] ?? '');

const outputs = [
  '0\nlo eth0\n',
  `${blocks('sh')[0]}\n`,
  "[\n  'ip link add name br1 mtu 1400 type bridge && ip link set dev br1 up'\n]\n",
  "[\n  { key: 'tcp . 8080', value: '10.1.1.2 . 80', comment: 'web server' }\n]\n",
  '',
  'refused\nlo out SYN, lo in SYN, lo out RST+ACK, lo in RST+ACK\nundefined\ntrue\n',
];

test('the README has as many examples as this test expects', () => {
  assert.equal(blocks('ts').length, outputs.length);
});

for (const [index, expected] of outputs.entries()) {
  test(`example ${index + 1}`, host, () => {
    const arguments_ = ['--input-type=module-typescript', '-e', blocks('ts')[index] ?? ''];
    const cwd = new URL('..', import.meta.url);
    assert.equal(execFileSync(process.execPath, arguments_, { cwd, encoding: 'utf8', timeout: 300_000 }), expected);
    const left = execFileSync('sh', ['-c', 'ip -o link; ip netns; nft list ruleset'], { encoding: 'utf8' });
    assert.match(left, /^1: lo: .*\n$/);
  });
}
