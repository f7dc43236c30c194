import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Kernel, ObservedNftChain } from '@netyard/kernel';
import { readReachedChains } from './forward-chains.ts';

const table = { family: 'ip', table: 'filter' } as const;
const names = Array.from({ length: 20 }, (_, index) => `CHAIN${index}`);
const base: ObservedNftChain = {
  ...table,
  chain: 'FORWARD',
  hook: 'forward',
  policy: 'accept',
  rules: names.map((name) => ({ text: `jump ${name}` })),
};

/** A kernel that needs 3 ms for each listing, during which nothing else runs. */
const slowKernel: Pick<Kernel, 'listNftChain'> = {
  async listNftChain({ chain }) {
    for (const begin = performance.now(); performance.now() - begin < 3; );
    return { ...table, chain, rules: [] };
  },
};

test('other work continues while many chains of another firewall are read', async () => {
  let rounds = 0;
  const timer = setInterval(() => {
    rounds += 1;
  }, 1);
  try {
    const reached = await readReachedChains(slowKernel, [base], undefined);
    assert.deepEqual(
      reached.map(({ chain }) => chain),
      names,
    );
    assert.ok(rounds >= 5, `${rounds} rounds of the event loop`);
  } finally {
    clearInterval(timer);
  }
});
