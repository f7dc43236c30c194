/**
 * Measures a page in Chromium over some seconds: the time between frames, frames whose work takes more than 50 ms, and the
 * main thread's time. Code in strings runs in the browser.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { CDPSession, Page } from 'playwright-core';

/** Frames and the main thread's time of one page. */
export interface FrameSample {
  seconds: number;
  /** Milliseconds between calls of requestAnimationFrame. */
  intervals: readonly number[];
  /** Milliseconds of each frame whose tasks and rendering take more than 50 ms (long-animation-frame). */
  longFrames: readonly number[];
  /** Milliseconds of the main thread per second. */
  thread: ThreadTime;
}

export interface ThreadTime {
  task: number;
  script: number;
  style: number;
  layout: number;
}

/** Draws nothing, so that only what the page draws costs time. */
const observer = `(() => {
  const seen = { intervals: [], longFrames: [] };
  let last;
  const frame = (time) => {
    if (last !== undefined) seen.intervals.push(time - last);
    last = time;
    seen.request = requestAnimationFrame(frame);
  };
  seen.request = requestAnimationFrame(frame);
  seen.observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) if (duration > 50) seen.longFrames.push(duration);
  });
  seen.observer.observe({ type: 'long-animation-frame' });
  globalThis.seenFrames = seen;
})()`;

const result = `(() => {
  const { intervals, longFrames, request, observer } = globalThis.seenFrames;
  for (const { duration } of observer.takeRecords()) longFrames.push(duration);
  observer.disconnect();
  cancelAnimationFrame(request);
  return { intervals, longFrames };
})()`;

export async function sampleFrames(page: Page, seconds: number): Promise<FrameSample> {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable');
  const before = await readThreadTime(session);
  await page.evaluate(observer);
  await pause(seconds * 1_000);
  const seen: Pick<FrameSample, 'intervals' | 'longFrames'> = await page.evaluate(result);
  const after = await readThreadTime(session);
  await session.detach();
  const perSecond = (name: keyof ThreadTime): number => ((after[name] - before[name]) * 1_000) / seconds;
  const thread = { task: perSecond('task'), script: perSecond('script') };
  return { seconds, ...seen, thread: { ...thread, style: perSecond('style'), layout: perSecond('layout') } };
}

/** Seconds since the page was opened. */
async function readThreadTime(session: CDPSession): Promise<ThreadTime> {
  const { metrics } = await session.send('Performance.getMetrics');
  const of = (metric: string): number => metrics.find(({ name }) => name === metric)?.value ?? Number.NaN;
  return {
    task: of('TaskDuration'),
    script: of('ScriptDuration'),
    style: of('RecalcStyleDuration'),
    layout: of('LayoutDuration'),
  };
}

/**
 * Added to a page before its own scripts: notes when an element of the selector is drawn. A frame that draws it ends before
 * the second next call of requestAnimationFrame.
 */
export const pictureObserver = (selector: string): string => `
  globalThis.drawnAt = new Promise((resolve) => {
    const check = () => {
      if (document.querySelector(${JSON.stringify(selector)}) === null) return requestAnimationFrame(check);
      requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.timeOrigin + performance.now())));
    };
    requestAnimationFrame(check);
  });`;

/** Milliseconds since 1970, when the element was drawn. */
export const drawnAt = (page: Page): Promise<number> => page.evaluate('globalThis.drawnAt');
