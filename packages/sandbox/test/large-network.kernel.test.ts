/** A network with more containers than a bridge has ports, with real packets. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openKernel } from '@netyard/kernel';
import { inFreshHost, pings, setBridgeNetfilter, sh } from '@netyard/testkit';
import { on, Testbed } from './testbed.ts';

const host = await inFreshHost(import.meta.url);
const count = 1040;

test('a network has more than 1023 containers, and removes their bridges with them', host, async () => {
  setBridgeNetfilter('0');
  const kernel = openKernel();
  const testbed = new Testbed({ kernel });
  await testbed.networks.start([]);
  await testbed.networks.create({ name: 'large', driver: 'bridge', ipam: { v4: [{ subnet: '10.9.0.0/16' }] } });
  const ids: string[] = [];
  const namespaces: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const { containerId, netnsPath = '' } = await testbed.run(`c${index}`, on('large'));
    ids.push(containerId);
    namespaces.push(netnsPath);
  }
  const [first = ''] = namespaces;
  const last = namespaces.at(-1) ?? '';
  assert.ok(pings(last, '10.9.0.1'));
  assert.ok(pings(last, '10.9.0.2'));
  assert.ok(pings(first, `10.9.${(count + 1) >> 8}.${(count + 1) & 255}`));
  assert.equal(sh('ip -o link show type bridge | grep -c nyb').trim(), String(Math.floor((count - 1) / 128)));
  for (const id of ids) await testbed.remove(id);
  assert.equal(sh('ip -o link show type bridge | grep -c nyb || true').trim(), '0');
  await testbed.networks.close();
  kernel.close();
});
