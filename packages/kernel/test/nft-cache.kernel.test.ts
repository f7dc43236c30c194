/** What libnftables caches of the host's rule set is freed after each call. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openKernel, releaseFreeMemory } from '@netyard/kernel';
import { inFreshHost, sh } from '@netyard/testkit';

const host = inFreshHost(import.meta.url);
const kernel = openKernel();

const residentMegabytes = async (): Promise<number> => {
  await releaseFreeMemory();
  return process.memoryUsage.rss() / 1e6;
};

/** 512 KB of the cache for each. */
const tables = 200;

test('a search in many tables keeps no memory', host, async () => {
  assert.deepEqual(await kernel.listNftBaseChains('input', ['ip']), []);
  const before = await residentMegabytes();
  const names = Array.from({ length: tables }, (_, index) => `t${index}`);
  sh(`nft '${names.map((name) => `table ip ${name} { chain c { accept; }; }`).join('\n')}'`);
  assert.deepEqual(await kernel.listNftBaseChains('input', ['ip']), []);
  const grown = (await residentMegabytes()) - before;
  assert.ok(grown < tables / 4, `${grown} MB more`);
});
