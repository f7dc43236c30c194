/** Links over IPv6 on a default bridge without traffic between its containers (icc=false). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { eventually, inFreshHost, pings, pingsBriefly, sh, succeeds } from '@netyard/testkit';
import { describeBridge } from './bridge-host.ts';

const host = inFreshHost(import.meta.url);

describeBridge(host, { icc: false, bridgeIpv6: { fixedCidr: 'fd00:b::/64' } }, (testbed) => {
  type Started = Awaited<ReturnType<typeof testbed.run>>;
  const v6 = ({ containerId }: Started): string =>
    testbed.networks.state(containerId)?.endpoints[0]?.addresses.v6?.address ?? '';
  /** Listens on a port and accepts connections, until the namespace is deleted. */
  const listen = async (of: Started, port: number): Promise<void> => {
    const { netnsPath } = testbed.networks.state(of.containerId) ?? {};
    const server = `TCP6-LISTEN:${port},fork,reuseaddr`;
    sh(`nsenter --net=${netnsPath} setsid --fork socat -u ${server} /dev/null < /dev/null > /dev/null 2>&1`);
    await eventually('it listens', () => sh(`nsenter --net=${netnsPath} ss -Hlnt6`).includes(`:${port} `));
  };
  const connects = (from: Started, address: string, port: number, seconds = 30): boolean =>
    succeeds(from.netnsPath, 'socat', '-u', '/dev/null', `TCP6:[${address}]:${port},connect-timeout=${seconds}`);

  test('a link opens the exposed ports of its target only, follows its address, and closes them on removal', async () => {
    const exposed = [{ protocol: 'tcp' as const, port: 80 }];
    const db = await testbed.run('db', { exposed });
    const app = await testbed.run('app', { links: ['db:store'] });
    const other = await testbed.run('other');
    for (const port of [80, 81]) await listen(db, port);
    await listen(app, 80);
    assert.ok(pings(app.netnsPath, 'fd00:b::1'));
    for (let round = 0; round < 3; round += 1) assert.ok(connects(app, v6(db), 80), `round ${round}`);
    assert.ok(!connects(app, v6(db), 81, 0.3), 'not exposed');
    assert.ok(!connects(other, v6(db), 80, 0.3), 'not linked');
    assert.ok(!connects(db, v6(app), 80, 0.3), 'one way');
    assert.ok(!pingsBriefly(app.netnsPath, v6(db)));

    const former = v6(db);
    await testbed.stop(db.containerId);
    await testbed.start(db.containerId);
    assert.notEqual(v6(db), former);
    await listen(db, 80);
    assert.ok(connects(app, v6(db), 80));
    assert.ok(readFileSync(app.files.hosts, 'utf8').includes(`\n${v6(db)}\tstore `));
    const set = (): string => sh('nft list set ip6 netyard link_allow');
    assert.ok(set().includes(` ${v6(db)} `) && !set().includes(` ${former} `), set());

    sh('ip link set docker0 down; ip link set docker0 up');
    await eventually('the link works again', () => connects(app, v6(db), 80, 0.3));
    await testbed.networks.removeLink('/app/store');
    assert.ok(!connects(app, v6(db), 80, 0.3));
    for (const { containerId } of [other, app, db]) await testbed.remove(containerId);
    assert.doesNotMatch(`${set()}${sh('ip -6 neighbour show proxy')}`, /elements|fd00/);
  });
});
