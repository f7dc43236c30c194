/**
 * The topology page with 300 containers of five hosts in Debian's Chromium: the first picture, frames while the rates of all
 * containers change every second, compared with an empty page, and what three open pages cost the daemon.
 */

import type { ContainerItem } from '@netyard/page';
import type { FeedMessage } from '@netyard/web';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { findChromium, openBrowser } from '../../e2e/page/browser.ts';
import { ratesMessage, servePage } from '../../e2e/page/serve.ts';
import { syntheticItems, syntheticRates } from '../../e2e/page/synthetic.ts';
import { say } from '../in-lab.ts';
import { measureDaemon } from './daemon-cost.ts';
import { drawnAt, type FrameSample, pictureObserver, sampleFrames } from './frames.ts';
import { type FrameRow, formatDaemon, formatFrames, formatPictures, type PictureRow } from './report.ts';

export interface PageOptions {
  rounds: number;
  /** Seconds of frames per view and round. */
  seconds: number;
  /** Of the host whose daemon is measured. */
  containers: number;
  archive: string;
}

const pictures = 5;
const daemonSeconds = 8;
const items = syntheticItems();
const window: BrowserContextOptions = { viewport: { width: 1600, height: 1000 } };

interface View {
  name: string;
  /** What is sent every second. */
  messages: (step: number) => FeedMessage[];
  /** Of the page's address. */
  query: string;
  /** An element that shows that the view is drawn. */
  drawn: string;
  /** Presses of the button that enlarges the map. */
  zoom: number;
}

const rates = (step: number): FeedMessage[] => [ratesMessage(syntheticRates(items, step, 1))];
const stopped = items.find((item) => item.kind === 'container' && item.state === 'exited') as ContainerItem;

/** One container starts and stops in turns. */
function changes(step: number): FeedMessage[] {
  const set: ContainerItem[] = [{ ...stopped, state: step % 2 === 0 ? 'exited' : 'running' }];
  return [...rates(step), { event: 'patch', data: JSON.stringify({ set, removed: [] }) }];
}

const map = { query: '', drawn: '.node-host', zoom: 0 };
const views: readonly View[] = [
  { name: 'map without rates', messages: () => [], ...map },
  { name: 'map, all hosts', messages: rates, ...map },
  { name: 'map, names and rates', messages: rates, ...map, zoom: 5 },
  { name: 'map, a container changes', messages: changes, ...map },
  { name: 'map, panel open', messages: rates, ...map, query: '?select=host%3Anode1%2Fbridge-1', drawn: '.panel' },
  { name: 'table', messages: rates, ...map, query: '?view=table', drawn: 'tbody tr' },
];

const pictureViews = views.filter(({ name }) => name === 'map, all hosts' || name === 'table');

export async function comparePage({ rounds, seconds, containers, archive }: PageOptions): Promise<void> {
  const executable = findChromium();
  if (executable === undefined) throw new Error('no chromium: run script/unpack-chromium, or apt-get install chromium');
  const opened = await openBrowser(executable);
  try {
    say('first pictures …');
    const first = await measurePictures(opened.browser);
    console.log(`The topology page with ${items.length} objects of five hosts.\n\n${formatPictures(first)}\n`);
    console.log(`${formatFrames(await measureFrames(opened.browser, rounds, seconds))}\n`);
  } finally {
    await opened.close();
  }
  const cost = await measureDaemon({ archive, containers, rounds, seconds: daemonSeconds });
  console.log(formatDaemon(cost));
}

async function measurePictures(browser: Browser): Promise<PictureRow[]> {
  const rows: PictureRow[] = [];
  for (const { name, query, drawn } of pictureViews) {
    const [fromData, fromStart]: [number[], number[]] = [[], []];
    for (let round = 0; round < pictures; round += 1) {
      let sent = Number.NaN;
      const served = await servePage(items, {
        sent: () => {
          sent = now();
        },
      });
      const context = await browser.newContext(window);
      const page = await context.newPage();
      await page.addInitScript(pictureObserver(drawn));
      const start = now();
      await page.goto(served.url().replace('/#', `/${query}#`));
      const drawnTime = await drawnAt(page);
      fromData.push(drawnTime - sent);
      fromStart.push(drawnTime - start);
      await context.close();
      served.close();
    }
    rows.push({ name, fromData, fromStart });
  }
  return rows;
}

/** The clock of `performance.timeOrigin`, which browsers have too. */
const now = (): number => performance.timeOrigin + performance.now();

/** In turns, so that other load of the machine affects all views alike. */
async function measureFrames(browser: Browser, rounds: number, seconds: number): Promise<FrameRow[]> {
  const samples = new Map<string, FrameSample[]>();
  const measure = async (name: string, open: (page: Page) => Promise<() => void>): Promise<void> => {
    const context = await browser.newContext(window);
    const page = await context.newPage();
    const close = await open(page);
    await page.waitForTimeout(2_000);
    samples.set(name, [...(samples.get(name) ?? []), await sampleFrames(page, seconds)]);
    await context.close();
    close();
  };
  for (let round = 0; round < rounds; round += 1) {
    say(`frames, round ${round + 1} of ${rounds} …`);
    await measure('empty page', async () => () => undefined);
    for (const view of views) await measure(view.name, (page) => openView(page, view));
  }
  return [...samples].map(([name, all]) => ({ name, rounds: all }));
}

async function openView(page: Page, { messages, query, drawn, zoom }: View): Promise<() => void> {
  const served = await servePage(items, { messages });
  await page.goto(served.url().replace('/#', `/${query}#`));
  await page.locator(drawn).first().waitFor();
  for (let press = 0; press < zoom; press += 1) {
    await page.getByRole('button', { name: 'Zoom In' }).click();
    await page.waitForTimeout(300);
  }
  return () => served.close();
}
