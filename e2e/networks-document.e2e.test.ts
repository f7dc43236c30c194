/**
 * Runs the commands of the console blocks in docs/networks.md in their order, on a lab host whose interface eth1 leads to
 * 192.168.1.1, and compares their output with the page. NETYARD_UPDATE_DOCUMENTS=1 writes the output to the page instead.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cannotRun } from './support/engines.ts';
import { openHost, type TestHost } from './support/host.ts';

const top = join(import.meta.dirname, '..');
const page = join(top, 'docs/networks.md');
const consoleBlock = /^```console\n(.*?)^```$/gms;

/** A command, continued by lines that end in a backslash, and what it prints. */
interface Step {
  command: string;
  output: string;
}

function stepsOf(block: string): Step[] {
  const parts = block.split(/^\$ /m).slice(1);
  return parts.map((part) => {
    const [, command = '', output = ''] = /^((?:[^\n]*\\\n)*[^\n]*)\n(.*)$/s.exec(part) ?? [];
    return { command, output };
  });
}

const withoutIds = (text: string): string =>
  text.replaceAll(/\b[0-9a-f]{64}\b/g, 'ID').replaceAll(/\b[0-9a-f]{12}\b/g, 'ID');

describe('docs/networks.md', { skip: cannotRun('netyard') }, () => {
  let host: TestHost;
  before(async () => {
    host = await openHost('netyard', { images: ['nginx-app01'] });
    await host.sh(`ip netns add segment; ip link add eth1 type veth peer name eth1 netns segment; ip link set eth1 up
      ip -n segment address add 192.168.1.1/24 dev eth1; ip -n segment link set eth1 up`);
  });
  after(() => host.close());

  const run = async (command: string): Promise<string> => {
    const { stdout, stderr, status } = await host.run(['bash', '-c', `PATH=${top}/bin:$PATH; ${command}`]);
    assert.equal(status, 0, `${command}\n${stdout}${stderr}`);
    return stdout;
  };

  test('its commands print what it shows', async () => {
    const text = readFileSync(page, 'utf8');
    let shown = text;
    const blocks = [...text.matchAll(consoleBlock)].map(([, block = '']) => block);
    assert.ok(blocks.length > 0);
    for (const block of blocks) {
      const steps = stepsOf(block);
      assert.ok(steps.length > 0);
      let actual = '';
      for (const { command, output } of steps) {
        const printed = await run(command);
        const isSame = withoutIds(printed) === withoutIds(output);
        if (process.env['NETYARD_UPDATE_DOCUMENTS'] !== '1')
          assert.equal(withoutIds(printed), withoutIds(output), command);
        actual += `$ ${command}\n${isSame ? output : printed}`;
      }
      shown = shown.replace(block, () => actual);
    }
    if (shown !== text) writeFileSync(page, shown);
  });
});
