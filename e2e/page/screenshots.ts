/** Takes the pictures of the topology page: `node e2e/page/screenshots.ts FOLDER`, run by script/page-screenshots. */
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { openHost } from '../support/host.ts';
import { findChromium, openBrowser } from './browser.ts';
import { servePage } from './serve.ts';
import { syntheticItems } from './synthetic.ts';

interface Picture {
  file: string;
  url: string;
  scheme: 'light' | 'dark';
  size: { width: number; height: number };
  /** Label of a button to click first. */
  click?: RegExp;
  search?: string;
}

const wide = { width: 1280, height: 720 };
const narrow = { width: 420, height: 860 };
const [folder = 'docs/images'] = process.argv.slice(2);
const executable = findChromium() ?? '';

async function take(browser: Browser, { file, url, scheme, size, click, search }: Picture): Promise<void> {
  const context = await browser.newContext({ viewport: size, colorScheme: scheme, reducedMotion: 'reduce' });
  const page = await context.newPage();
  await page.goto(url);
  await page.locator('.node-host').first().waitFor();
  if (search !== undefined) await page.getByRole('searchbox').fill(search);
  if (click) {
    await page.getByRole('button', { name: click }).first().click();
    await page.locator('.panel').waitFor();
    await page.waitForLoadState('networkidle', { timeout: 1_000 }).catch(() => undefined); // the stream stays open
  }
  await page.screenshot({ path: join(folder, `${file}.png`) });
  await context.close();
}

async function tutorial(): Promise<void> {
  const host = await openHost('netyard', {
    images: ['netyard-test'],
    bip: '192.168.11.1/24',
    daemonOptions: ['--web', '127.0.0.1:7420', '--web-actions'],
  });
  const opened = await openBrowser(executable, host.pid);
  try {
    const run = ['run', '-d', '--name'];
    await host.docker(...run, 'nginx-1', '-p', '8801:80', 'netyard-test', 'sleep', '10000');
    await host.docker(...run, 'nginx-2', '--link', 'nginx-1:web1', '-p', '8802:80', 'netyard-test', 'sleep', '10000');
    await host.docker('network', 'create', 'back', '--subnet', '172.20.0.0/24', '--internal');
    await host.docker(...run, 'db', '--network', 'back', 'netyard-test', 'sleep', '10000');
    await host.docker('network', 'connect', 'back', 'nginx-2');
    await host.docker(...run, 'job', 'netyard-test', 'sh', '-c', 'exit 3');
    await host.netyard('peer', 'add', 'server2', '--address', '172.16.2.102', '--subnet', '192.168.12.0/24');
    const click = /^container nginx-2/;
    for (const [file, scheme, size] of [
      ['page-light', 'light', wide],
      ['page-dark', 'dark', wide],
      ['page-narrow', 'light', narrow],
    ] as const)
      await take(opened.browser, { file, url: await host.netyard('web'), scheme, size, click });
  } finally {
    await opened.close();
    await host.close();
  }
}

async function synthetic(): Promise<void> {
  const served = await servePage(syntheticItems());
  const opened = await openBrowser(executable);
  const size = { width: 1400, height: 900 };
  try {
    await take(opened.browser, { file: 'page-300', url: served.url(), scheme: 'light', size });
    const search = 'net:shop_front';
    await take(opened.browser, { file: 'page-300-dark', url: served.url(), scheme: 'dark', size, search });
  } finally {
    await opened.close();
    served.close();
  }
}

await tutorial();
await synthetic();
