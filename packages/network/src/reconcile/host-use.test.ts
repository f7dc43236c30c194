import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Kernel } from '@netyard/kernel';
import type { NetworkSettings } from '../contract.ts';
import { HostUseCache } from './host-use.ts';

test('a dump that a change overtakes is not kept', async () => {
  const routes = [{ to: '10.1.0.0/16' }];
  let dumps = 0;
  let whileListing = (): void => undefined;
  const kernel = {
    async listRoutes() {
      dumps += 1;
      return [...routes];
    },
    async listAddresses() {
      whileListing();
      return [];
    },
  } as unknown as Kernel;
  const cache = new HostUseCache(kernel, { hostResolvConf: '/dev/null' } as NetworkSettings);
  const read = async (): Promise<number> => (await cache.read(() => false)).v4.length;
  whileListing = () => {
    routes.push({ to: '10.3.0.0/16' });
    cache.drop();
  };
  assert.equal(await read(), 1);
  whileListing = () => undefined;
  assert.equal(await read(), 2, 'the route that was added meanwhile is seen');
  assert.equal(await read(), 2);
  assert.equal(dumps, 2, 'the second dump is kept');
});
