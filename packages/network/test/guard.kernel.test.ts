/** While another program's flush has taken our tables away: what was let in goes on, nothing else passes. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openKernel } from '@netyard/kernel';
import { inFreshHost } from '@netyard/testkit';
import { Echo } from './echo.ts';
import { Testbed } from './testbed.ts';
import { addNeighbour, addUplink, ask, askBriefly, eventually, serve, sh } from './wire.ts';

const host = await inFreshHost(import.meta.url);
const neighbour = '/run/netns/neighbour';

describe('the guard', host, () => {
  const kernel = openKernel();
  const testbed = new Testbed({ kernel });
  let address = '';
  let webNetns = '';

  before(async () => {
    addUplink();
    addNeighbour('neighbour', 9);
    sh('ip -n neighbour route add default via 192.0.2.1');
    await testbed.networks.start([]);
    const ports = [
      { protocol: 'tcp', containerPort: 80, hostPort: 8801 },
      { protocol: 'udp', containerPort: 53, hostPort: 8853 },
    ] as const;
    const web = await testbed.run('web', { ports: [...ports] });
    address = web.endpoints[0]?.ipv4Address ?? '';
    webNetns = web.netnsPath ?? '';
    await serve(webNetns, 'tcp', 80, 'web', { program: 'EXEC:cat' });
    await serve(webNetns, 'tcp', 81, 'unpublished');
    await serve(webNetns, 'udp', 53, 'names');
    await serve(neighbour, 'tcp', 90, 'outside');
  });

  after(async () => {
    await testbed.close();
    kernel.close();
  });

  const isRepaired = (): boolean => /8853.*chain clear_mark/s.test(sh('nft list table ip netyard || true'));

  const flushes = ['nft flush ruleset', 'nft delete table ip netyard', 'nft flush table ip netyard'];
  for (const flush of flushes) {
    test(`a connection through a published port goes on beyond ${flush}`, async () => {
      const echo = new Echo(neighbour, '192.0.2.1', 8801);
      await echo.answers();
      sh(flush);
      await echo.answers();
      await eventually('the port is published again', isRepaired);
      await echo.answers();
      await echo.end();
    });
  }

  /** As long as this holds, the repair's work waits: the event loop of this process, which repairs, is kept busy. */
  const whileMissing = (work: () => void): void => {
    sh('nft flush ruleset');
    work();
    assert.doesNotMatch(sh('nft list tables'), /netyard$/m);
  };

  test('nothing unpublished is open meanwhile, nothing leaves untranslated', async () => {
    assert.equal(ask(webNetns, 'tcp', '192.0.2.9', 90), 'outside 192.0.2.1');
    whileMissing(() => {
      assert.equal(askBriefly(neighbour, 'tcp', address, 81), '');
      assert.equal(askBriefly(neighbour, 'udp', address, 53), '');
      assert.equal(askBriefly(webNetns, 'tcp', '192.0.2.9', 90), '');
    });
    await eventually('the port is published again', isRepaired);
    assert.equal(ask(webNetns, 'tcp', '192.0.2.9', 90), 'outside 192.0.2.1');
    assert.equal(askBriefly(neighbour, 'tcp', address, 81), '');
  });

  test('what came for a published UDP port meanwhile is translated afterwards', async () => {
    const sameSource = ',sourceport=7000';
    whileMissing(() => assert.equal(askBriefly(neighbour, 'udp', '192.0.2.1', 8853, sameSource), ''));
    await eventually('the port is published again', isRepaired);
    // The connection is forgotten just after the repair.
    await eventually(
      'the server answers',
      () => askBriefly(neighbour, 'udp', '192.0.2.1', 8853, sameSource) === 'names 192.0.2.9',
    );
  });

  test('other programs cannot take the guard away; it ends with the daemon', async () => {
    assert.throws(() => sh('nft delete table ip netyard_guard'), /not permitted/);
    sh('nft flush ruleset');
    assert.match(sh('nft list tables'), /ip netyard_guard/);
    await eventually('the port is published again', isRepaired);
    await testbed.networks.close();
    assert.equal(sh('nft list tables').trim(), 'table ip netyard\ntable bridge netyard');
    assert.ok(isRepaired());
    await testbed.open().start([...testbed.containers.keys()]);
    assert.match(sh('nft list tables'), /ip netyard_guard/);
    assert.ok(isRepaired());
  });

  test('containers that may not talk freely do not talk meanwhile', async () => {
    const other = await testbed.run('other');
    const reaches = (): boolean => askBriefly(other.netnsPath, 'tcp', address, 81).startsWith('unpublished');
    await eventually('it reaches the other', reaches);
    await testbed.networks.close();
    await testbed.open({ icc: false }).start([...testbed.containers.keys()]);
    assert.ok(!reaches());
    whileMissing(() => assert.ok(!reaches()));
    await eventually('the port is published again', isRepaired);
    assert.ok(!reaches());
  });
});
