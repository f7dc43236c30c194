/**
 * Tests the guard table: after another program flushes Netyard's tables, only established traffic passes until the
 * repair.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openKernel } from '@netyard/kernel';
import { addNeighbour, addUplink, ask, askBriefly, eventually, inFreshHost, serve, sh } from '@netyard/testkit';
import { Echo } from './echo-client.ts';
import { Testbed } from './testbed.ts';

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
    address = web.endpoints[0]?.addresses.v4?.address ?? '';
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

  const isRepaired = (): boolean =>
    /8853.*chain clear_mark \{[^}]*meta mark set/s.test(sh('nft list table ip netyard || true'));

  const flushes = ['nft flush ruleset', 'nft delete table ip netyard', 'nft flush table ip netyard'];
  for (const flush of flushes) {
    test(`a connection through a published port survives ${flush}`, async () => {
      const echo = new Echo(neighbour, '192.0.2.1', 8801);
      await echo.answers();
      sh(flush);
      await echo.answers();
      await eventually('the port is published again', isRepaired);
      await echo.answers();
      await echo.end();
    });
  }

  /** Delays the repair: it runs on the event loop of this process, which this keeps busy. */
  const whileMissing = (work: () => void): void => {
    sh('nft flush ruleset');
    work();
    assert.doesNotMatch(sh('nft list tables'), /netyard$/m);
  };

  test('until the repair, no unpublished port is open and no packet leaves without NAT', async () => {
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

  test('a UDP flow to a published port that started before the repair is translated after it', async () => {
    const sameSource = ',sourceport=7000';
    whileMissing(() => assert.equal(askBriefly(neighbour, 'udp', '192.0.2.1', 8853, sameSource), ''));
    await eventually('the port is published again', isRepaired);
    // The repair flushes the conntrack entry right after it restores the rules.
    await eventually(
      'the server answers',
      () => askBriefly(neighbour, 'udp', '192.0.2.1', 8853, sameSource) === 'names 192.0.2.9',
    );
  });

  test('other programs cannot delete the guard; it ends with the daemon', async () => {
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

  test('with icc=false, containers cannot reach each other until the repair', async () => {
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
