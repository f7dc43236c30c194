/** Debian's Chromium for tests: installed, or unpacked by `script/unpack-chromium` (NETYARD_CHROMIUM). */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

export function findChromium(): string | undefined {
  const unpacked = process.env['NETYARD_CHROMIUM'];
  const candidates = [...(unpacked === undefined ? [] : [join(unpacked, 'chromium')]), '/usr/bin/chromium'];
  return candidates.find((path) => existsSync(path));
}

export interface OpenedBrowser {
  browser: Browser;
  close(): Promise<void>;
}

/** @param pid a process in whose network namespace the browser runs; default: this one's */
export async function openBrowser(executable: string, pid?: number): Promise<OpenedBrowser> {
  const folder = mkdtempSync(join(tmpdir(), 'browser-'));
  const start = join(folder, 'start');
  const inside = pid === undefined ? '' : `nsenter --net=/proc/${pid}/ns/net -- `;
  writeFileSync(start, `#!/bin/sh\nexec ${inside}'${executable}' "$@"\n`, { mode: 0o755 });
  const browser = await chromium.launch({
    executablePath: start,
    // Tests run as root, where Chromium's sandbox does not start; the page is ours.
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--hide-scrollbars'],
  });
  const close = async (): Promise<void> => {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  };
  return { browser, close };
}
