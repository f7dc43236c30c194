/**
 * Runs the commands of the pages in docs/questions in their order, on two lab hosts per page, and compares their output with the
 * page; so each fault is made, explained and fixed for real. NETYARD_UPDATE_DOCUMENTS=1 writes the output to the pages instead.
 */
import assert from 'node:assert/strict';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cannotRun } from './support/engines.ts';
import { openHosts, type TestHost } from './support/host.ts';

const top = join(import.meta.dirname, '..');
const pages = globSync('docs/questions/*.md', { cwd: top }).sort();
const english = pages.filter((page) => !page.endsWith('.zh-CN.md'));
const chineseOf = (page: string): string => page.replace(/\.md$/, '.zh-CN.md');
const consoleBlock = /^```console\n(.*?)^```$/gms;
const updates = process.env['NETYARD_UPDATE_DOCUMENTS'] === '1';
/** Two hosts with subnets of their own where the page names hosts in its prompts. */
const bips = ['192.168.11.1/24', '192.168.12.1/24'];

const readPage = (page: string): string => readFileSync(join(top, page), 'utf8');
const blocksOf = (text: string): string[] => [...text.matchAll(consoleBlock)].map(([, block = '']) => block);

/** A command with its prompt, and what it prints. */
interface Step {
  host: string;
  prompt: string;
  command: string;
  output: string;
}

function stepsOf(block: string): Step[] {
  return block.split(/^(?=(?:server\d)?\$ )/m).map((part) => {
    const [, prompt = '', command = '', output = ''] = /^((?:server\d)?\$ )([^\n]*)\n(.*)$/s.exec(part) ?? [];
    assert.notEqual(command, '', part);
    return { host: prompt.replace(/\$ $/, ''), prompt, command, output };
  });
}

/** Without what differs from run to run: ids, names made of them, ports of probes, times and handles. */
const normalize = (text: string): string =>
  text
    .replaceAll(/\b[0-9a-f]{64}\b/g, 'ID')
    .replaceAll(/\b(?:br-|ny-)?[0-9a-f]{12}\b/g, 'ID')
    .replaceAll(/(\d+\.\d+\.\d+\.\d+):\d{5}\b/g, '$1:PORT')
    .replaceAll(/^ +\d+\.\d\d {2}/gm, ' TIME  ')
    .replaceAll(/\bprocess \d+(?:, which has ended)?/g, 'process PID')
    .replaceAll(/by ip \(process PID.*?\)/g, 'by process PID')
    .replaceAll(/answered after \d+\.\d+ ms/g, 'answered after N ms')
    .replaceAll(/handle \d+/g, 'handle N')
    .replaceAll(/\/proc\/\d+\//g, '/proc/PID/')
    .replaceAll(/ +/g, ' ');

test('the Chinese pages show the same commands and output', () => {
  assert.ok(english.length >= 5);
  for (const page of english) assert.deepEqual(blocksOf(readPage(chineseOf(page))), blocksOf(readPage(page)), page);
});

for (const page of english) {
  describe(page, { skip: cannotRun('netyard') }, () => {
    let hosts: TestHost[] = [];
    before(async () => {
      const hasSubnets = basename(page) === 'two-hosts.md';
      hosts = await openHosts('netyard', ['server1', 'server2'], {
        ...{ images: ['nginx-web01'] },
        ...(hasSubnets ? { bips } : {}),
      });
    });
    after(() => hosts[0]?.close());

    const run = async ({ host, command }: Step): Promise<string> => {
      const on = hosts[host === 'server2' ? 1 : 0];
      assert.ok(on);
      const { stdout, stderr, status } = await on.run(['bash', '-c', `PATH=${top}/bin:$PATH; ${command}`]);
      // A trace that does not reach its target says so in its exit code.
      if (!command.startsWith('netyard trace')) assert.equal(status, 0, `${command}\n${stdout}${stderr}`);
      return stdout;
    };

    test('its commands print what it shows', async () => {
      const text = readPage(page);
      let shown = text;
      for (const block of blocksOf(text)) {
        let actual = '';
        for (const step of stepsOf(block)) {
          const printed = await run(step);
          const isSame = normalize(printed) === normalize(step.output);
          if (!updates) assert.equal(normalize(printed), normalize(step.output), step.command);
          actual += `${step.prompt}${step.command}\n${isSame ? step.output : printed}`;
        }
        shown = shown.replace(block, () => actual);
      }
      if (shown !== text) writeFileSync(join(top, page), shown);
    });
  });
}
