/** The topology page of a daemon, in Debian's Chromium, which runs in the network namespace of the lab host. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { BrowserContext, Page } from 'playwright-core';
import { findChromium, type OpenedBrowser, openBrowser } from './page/browser.ts';
import { type ServedPage, servePage } from './page/serve.ts';
import { syntheticItems } from './page/synthetic.ts';
import { cannotRun } from './support/engines.ts';
import { openHost, type TestHost, until } from './support/host.ts';

const chromium = findChromium();
const skip =
  cannotRun('netyard') || (chromium === undefined && 'needs chromium: script/unpack-chromium, NETYARD_CHROMIUM');
const address = 'http://127.0.0.1:7420';
const axeCore = readFileSync(join(import.meta.dirname, '../node_modules/axe-core/axe.min.js'), 'utf8');

/** Errors in the console, such as violations of the content security policy, fail the test. */
async function openPage(context: BrowserContext, url: string): Promise<{ page: Page; problems: string[] }> {
  const page = await context.newPage();
  const problems: string[] = [];
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  page.on('pageerror', (error) => problems.push(error.message));
  await page.goto(url);
  return { page, problems };
}

/** Ids of the rules of axe-core that the page breaks. The page's content security policy must be switched off. */
async function faultsOf(page: Page): Promise<string[]> {
  await page.evaluate(axeCore);
  return await page.evaluate('axe.run(document).then((found) => found.violations.map(({ id }) => id))');
}

const focused = (page: Page): Promise<string | undefined> =>
  page.evaluate('document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent');

describe('the topology page', { skip }, () => {
  let host: TestHost;
  let opened: OpenedBrowser;
  before(async () => {
    host = await openHost('netyard', {
      images: ['netyard-test'],
      bip: '192.168.11.1/24',
      daemonOptions: ['--web', '127.0.0.1:7420', '--web-actions'],
    });
    const run = ['run', '-d', '--name'];
    await host.docker(...run, 'nginx-1', '-p', '8801:80', 'netyard-test', 'sleep', '10000');
    await host.docker(...run, 'nginx-2', '--link', 'nginx-1:web1', '-p', '8802:80', 'netyard-test', 'sleep', '10000');
    await host.netyard('peer', 'add', 'server2', '--address', '172.16.2.102', '--subnet', '192.168.12.0/24');
    opened = await openBrowser(chromium ?? '', host.pid);
  });
  after(async () => {
    await opened?.close();
    await host?.close();
  });

  test('a printed address opens the page once: it shows the host, its containers, ports and peers', async () => {
    const url = await host.netyard('web');
    assert.match(url, /^http:\/\/127\.0\.0\.1:7420\/#token=[\w-]{43}$/);
    const context = await opened.browser.newContext();
    const { page, problems } = await openPage(context, url);
    for (const label of [
      'host server1',
      'network bridge, 2 containers',
      'container nginx-1, running, 192.168.11.2',
      'container nginx-2, running, 192.168.11.3',
      'port 8801 tcp leads to nginx-1 port 80',
      'port 8802 tcp leads to nginx-2 port 80',
    ])
      await page.getByRole('button', { name: label, exact: true }).waitFor();
    await page.getByRole('button', { name: /^peer server2, route ens33, MTU 1500/ }).waitFor();
    assert.equal(page.url(), `${address}/`, 'the token is gone');
    await page.reload();
    await page.getByRole('button', { name: 'host server1' }).waitFor();
    assert.deepEqual(problems, []);
    await context.close();

    const another = await opened.browser.newContext();
    const replay = await openPage(another, url);
    await replay.page.getByRole('alert').getByText('the token is unknown, used or expired').waitFor();
    await another.close();
  });

  test('keys alone: search, walk, open a panel with rules and script, switch to the table', async () => {
    const context = await opened.browser.newContext();
    const { page, problems } = await openPage(context, await host.netyard('web'));
    await page.getByRole('button', { name: 'host server1' }).waitFor();

    await page.keyboard.press('/');
    await page.keyboard.type('name:nginx-2');
    await page.getByText(/^1 of \d+$/).waitFor();
    assert.equal(await page.locator('.node-container.dim').count(), 1);
    assert.equal(page.url(), `${address}/?q=name%3Anginx-2`);
    await page.keyboard.press('Escape');

    await page.keyboard.press('Tab');
    for (let presses = 0; !(await focused(page))?.startsWith('host server1'); presses += 1) {
      assert.ok(presses < 12, `Tab does not reach the host, but ${await focused(page)}`);
      await page.keyboard.press('Tab');
    }
    const seen: (string | undefined)[] = [];
    for (const key of ['ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowRight', 'ArrowRight', 'ArrowDown']) {
      if ((await focused(page))?.startsWith('container nginx-2')) break;
      const before = await focused(page);
      await page.keyboard.press(key);
      // The map moves, and the focus follows.
      await until(async () => (await focused(page)) !== before, `${key} moves the focus from ${before}`);
      seen.push(await focused(page));
    }
    assert.match((await focused(page)) ?? '', /^container nginx-2/, `arrows reached ${seen.join('; ')}`);
    await page.keyboard.press('Enter');
    const panel = page.getByRole('complementary', { name: 'container nginx-2' });
    await panel.getByText('192.168.11.3').waitFor();
    assert.equal(await focused(page), 'container nginx-2');
    await panel.getByText('Script that creates it').click();
    await panel.getByText('ip link add').first().waitFor();
    await panel.getByRole('button', { name: 'port 8802/tcp leads to nginx-2' }).click();
    await page.getByText('any address, port 8802/tcp leads to 192.168.11.3:80').waitFor();
    await page.getByText('containers on docker0 reach each other').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('.panel').waitFor({ state: 'detached' });
    assert.match((await focused(page)) ?? '', /^container nginx-2/, 'the focus is where it was');

    await page.keyboard.press('g');
    await page.getByRole('columnheader', { name: 'Addresses' }).waitFor();
    assert.equal(await page.getByRole('row').count(), 2, 'the search filters the table');
    assert.deepEqual(problems, []);
    await context.close();
  });

  test('two clicks trace: hop by hop to where a rule drops the packet, with its fix; then it is reached', async () => {
    await host.docker('exec', '-d', 'nginx-1', 'httpd', '-f', '-p', '80');
    await host.sh(
      "nft 'table ip guard { chain before { type filter hook prerouting priority -160; tcp dport 80 drop; }; }'",
    );
    const context = await opened.browser.newContext();
    const { page, problems } = await openPage(context, await host.netyard('web'));
    await page.getByRole('button', { name: /^container nginx-2/ }).waitFor();
    await page.getByRole('button', { name: 'Trace', exact: true }).click();
    const panel = page.getByRole('complementary', { name: 'Trace' });
    await page.getByRole('button', { name: /^container nginx-2/ }).click();
    assert.equal(await panel.getByLabel('From').inputValue(), 'netyard/nginx-2');
    await panel.getByLabel('Port').fill('80');
    await page.getByRole('button', { name: /^container nginx-1/ }).click();
    const sentence = panel.getByRole('status');
    await sentence
      .getByText(/guard before/)
      .first()
      .waitFor();
    const fix = (await sentence.locator('.command').textContent()) ?? '';
    assert.match(fix, /^nft /);
    await page.locator('.node-host.traced-stopped').waitFor();
    await page.locator('.node-container.traced-missing').waitFor();
    assert.equal(await page.locator('.trace-edge').count(), 3);
    await panel.getByText('✕ dropped here').waitFor();

    await host.sh(fix);
    await page.keyboard.press('Escape');
    await panel.waitFor({ state: 'detached' });
    // The same by keys alone, from the selected container.
    await page.getByRole('button', { name: /^container nginx-2/ }).focus();
    await page.keyboard.press('t');
    await page.keyboard.press('Enter');
    await panel.getByLabel('Port').fill('80');
    await page.getByRole('button', { name: /^container nginx-1/ }).focus();
    await page.keyboard.press('Enter');
    await page.locator('.trace-reached').waitFor();
    await page.locator('.node-container.traced-passed').nth(1).waitFor();
    assert.deepEqual(problems, []);
    await context.close();
  });

  test('a namespace of no engine is shown, with the command that explains it', async () => {
    await host.sh('ip netns add r1');
    const context = await opened.browser.newContext();
    const { page, problems } = await openPage(context, await host.netyard('web'));
    await page.getByRole('button', { name: /^namespace container r1/ }).click();
    await page.getByText('netyard explain r1').waitFor();
    assert.equal(await page.getByText('Script that creates it').count(), 0);
    assert.deepEqual(problems, []);
    await context.close();
  });

  test('changes appear without a reload, and a capture is saved', async () => {
    const context = await opened.browser.newContext();
    const { page, problems } = await openPage(context, await host.netyard('web'));
    await page.getByRole('button', { name: 'container nginx-1, running' }).waitFor();
    await host.docker('rm', '-f', 'nginx-2');
    await page.getByRole('button', { name: 'network bridge, 1 containers' }).waitFor();
    await host.docker('run', '-d', '--name', 'third', 'netyard-test', 'sleep', '10000');
    await page.getByRole('button', { name: /^container third, running/ }).click();

    const panel = page.getByRole('complementary', { name: 'container third' });
    await panel.getByLabel('Seconds').fill('15');
    await panel.getByLabel('Filter').fill('icmp');
    const download = page.waitForEvent('download');
    await panel.getByRole('button', { name: 'Capture' }).click();
    await host.docker('exec', 'third', 'ping', '-c', '1', '192.168.11.1');
    await panel.getByRole('cell', { name: 'ICMP echo request' }).waitFor();
    await panel.getByRole('cell', { name: 'ICMP echo reply' }).waitFor();
    assert.ok(await panel.getByRole('button', { name: 'Stop' }).isVisible(), 'packets are shown while it runs');
    await panel.getByRole('button', { name: 'Stop' }).click();
    const file = await (await download).path();
    const shown = await host.sh(`tcpdump -nn -r ${file} 2>&1`);
    assert.match(shown, /ICMP echo request/);
    await panel.getByText(/^Saved as third\.pcapng/).waitFor();
    assert.deepEqual(problems, []);
    await context.close();
  });

  for (const colorScheme of ['light', 'dark'] as const)
    test(`axe-core finds no fault in a trace and in captured packets, ${colorScheme}`, async () => {
      const context = await opened.browser.newContext({ colorScheme, bypassCSP: true });
      const { page } = await openPage(context, await host.netyard('web'));
      await page.getByRole('button', { name: /^container third, running/ }).focus();
      await page.keyboard.press('t');
      await page.keyboard.press('Enter');
      const trace = page.getByRole('complementary', { name: 'Trace' });
      await trace.waitFor();
      assert.deepEqual(await faultsOf(page), [], 'before the destination is chosen');
      await trace.getByLabel('Port').fill('9');
      await page.getByRole('button', { name: /^container nginx-1/ }).click();
      await trace
        .getByText(/nothing listens on 9\/tcp/)
        .first()
        .waitFor();
      assert.deepEqual(await faultsOf(page), [], 'with the hops and the sentence');
      await page.keyboard.press('Escape');
      await trace.waitFor({ state: 'detached' });

      await page.getByRole('button', { name: /^container third, running/ }).click();
      const panel = page.getByRole('complementary', { name: 'container third' });
      await panel.getByLabel('Seconds').fill('60');
      await panel.getByRole('button', { name: 'Capture' }).click();
      await panel.getByRole('button', { name: 'Stop' }).waitFor();
      await host.docker('exec', 'third', 'ping', '-c', '1', '192.168.11.1');
      await panel.getByRole('cell', { name: 'ICMP echo request' }).first().waitFor();
      assert.deepEqual(await faultsOf(page), [], 'with packets');
      await context.close();
    });

  test('the daemon refuses rebinding names, foreign origins and requests without a session', async () => {
    const status = (...args: string[]): Promise<string> =>
      host.output('curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', ...args);
    assert.equal(await status(`${address}/`), '200');
    assert.equal(await status('-H', 'Host: rebind.example:7420', `${address}/`), '403');
    assert.equal(await status('-H', 'Origin: http://127.0.0.1:8801', `${address}/`), '403');
    assert.equal(await status('-H', 'Sec-Fetch-Site: same-site', `${address}/`), '403');
    assert.equal(await status(`${address}/api/stream`), '403');
    assert.equal(await status('-H', 'X-Netyard-Page: 1', `${address}/api/stream`), '401');
    assert.equal(await status('-H', 'X-Netyard-Page: 1', '-d', '{"token":"x"}', `${address}/api/session`), '415');
    assert.equal(await status(`${address}/containers/json`), '404');
    assert.equal((await host.run(['curl', '-s', 'http://172.16.2.101:7420/'])).status, 7, 'nothing listens there');
  });
});

describe('the topology page of five hosts with 300 containers', { skip }, () => {
  let served: ServedPage;
  let opened: OpenedBrowser;
  before(async () => {
    served = await servePage(syntheticItems());
    opened = await openBrowser(chromium ?? '');
  });
  after(async () => {
    await opened?.close();
    served?.close();
  });

  test('a large network is a grid of dots until its names are asked for; the search finds by several fields', async () => {
    const context = await opened.browser.newContext({ viewport: { width: 1600, height: 1000 } });
    const { page, problems } = await openPage(context, served.url());
    await page.locator('.node-host').nth(4).waitFor();
    assert.equal(await page.locator('.node-dot').count(), 60);
    await page.getByRole('button', { name: 'show 60 names' }).click();
    await page.locator('.node-dot').first().waitFor({ state: 'detached' });
    assert.match(page.url(), /\?expand=host%3Anode1%2Fbatch$/);
    await page.getByRole('searchbox').fill('net:shop_front port:8100 -host:node1');
    await page.getByText(/^4 of \d+$/).waitFor();
    assert.deepEqual(problems, []);
    await context.close();
  });

  for (const colorScheme of ['light', 'dark'] as const)
    test(`axe-core finds no fault in map, panel and table, ${colorScheme}`, async (current) => {
      const small = await servePage(syntheticItems(1)); // axe-core takes 10 s for five hosts
      current.after(() => small.close());
      // axe-core is added to the page, which its content security policy forbids.
      const context = await opened.browser.newContext({ colorScheme, bypassCSP: true });
      const { page } = await openPage(context, small.url());
      await page.locator('.node-host').first().waitFor();
      assert.deepEqual(await faultsOf(page), []);
      await page
        .getByRole('button', { name: /^container bridge-1,/ })
        .first()
        .click();
      await page.locator('.panel').waitFor();
      assert.deepEqual(await faultsOf(page), []);
      await page.keyboard.press('g');
      await page.getByRole('columnheader', { name: 'Addresses' }).waitFor();
      assert.deepEqual(await faultsOf(page), []);
      await context.close();
    });
});
