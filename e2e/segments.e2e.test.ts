/** What looks at networks sees the segments of a large one as that network: trace, diagnose, capture, journal. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setBridgeNetfilter } from './support/bridge-netfilter.ts';
import { cannotRun } from './support/engines.ts';
import { openHosts, until } from './support/host.ts';
import { contextOf, netyard, reportOf } from './trace/check.ts';
import type { FaultContext } from './trace/fault.ts';

describe('a network with a segment for each container', { skip: cannotRun('netyard') }, () => {
  let context: FaultContext;
  const members = ['m0', 'm1', 'm2'] as const;
  const bridges = async (): Promise<string[]> =>
    (await context.host.sh("ip -br link show type bridge | awk '/^(br-|nyb)/ { print $1 }'"))
      .split('\n')
      .filter(Boolean);
  before(async () => {
    const [host, neighbour] = await openHosts('netyard', ['server1', 'server2'], {
      images: ['netyard-test'],
      daemonOptions: ['--ports-per-bridge', '1'],
    });
    assert.ok(host && neighbour);
    context = contextOf(host, neighbour);
    await host.sh(setBridgeNetfilter(0));
    await host.docker('network', 'create', '--ipv6', 'large');
    // The daemon notices within a second.
    await until(async () => {
      for (const name of members)
        await host.docker('run', '-d', '--name', name, '--network', 'large', 'netyard-test', 'sleep', '10000');
      if ((await bridges()).length === members.length) return true;
      await host.docker('rm', '-f', ...members);
      return false;
    }, 'each container has a bridge');
  });
  after(() => context.host.close());

  test('a trace passes the bridges of both ends and the network’s own, as predicted', async () => {
    const own = await context.bridgeOf('large');
    for (const [from, to, passed] of [
      ['m1', 'm2', 3],
      ['m0', 'm2', 2],
      ['m1', 'host', 2],
      ['host', 'm1', 2],
    ] as const)
      for (const family of ['-4', '-6']) {
        const { conclusion, observed, steps } = await reportOf(context, [family, from, to]);
        const shown = `${family} ${from} ${to}: ${conclusion.sentence}`;
        assert.deepEqual([conclusion.outcome, observed], ['reached', 'packets'], shown);
        assert.ok(!steps.some(({ state }) => state === 'missing'), shown);
        const names = steps.filter(({ kind }) => kind === 'bridge').map(({ name }) => name);
        assert.equal(names.length, passed, shown);
        assert.ok(names.includes(own), shown);
      }
  });

  test('nothing is found wrong with it', async () => {
    const { stdout } = await context.host.tryNetyard('diagnose', '--json', 'large');
    const findings = JSON.parse(stdout) as { grade: string; text: string }[];
    assert.deepEqual(
      findings.filter(({ grade }) => grade !== 'fine').map(({ text }) => text),
      [],
    );
  });

  test('a capture says which bridges it does not show, and shows each frame once', async () => {
    const address = await context.addressOf('m2');
    const [own = '', first = '', second = ''] = await bridges();
    const ping = `sleep 1; docker exec m1 ping -c 1 ${address} > /dev/null; wait`;
    const capture = (...args: string[]): Promise<string> =>
      context.host.sh(`timeout -s INT 4 ${netyard} capture large ${args.join(' ')} icmp 2>&1 & ${ping}`);
    const shown = await capture();
    assert.ok(shown.includes(`${own} of network large`) && shown.includes(`without what stays on ${first}, ${second}`));
    assert.equal([...shown.matchAll(/ICMP echo request/g)].length, 1, shown);
    assert.match(
      await capture('-i', second),
      new RegExp(`listening on ${second} of network large.*ICMP echo request`, 's'),
    );
  });

  test('the journal has repairs of segments, and nothing foreign', async () => {
    const [, first = ''] = await bridges();
    const trunk = first.replace('nyb', 'nyt');
    await context.host.sh(`ip link delete ${trunk}`);
    const journal = (...args: string[]): Promise<string> => context.host.netyard('journal', ...args);
    await until(async () => (await journal(trunk)).includes('was missing; repaired by'), 'the repair is recorded');
    assert.match(await journal(trunk), new RegExp(`network .*${trunk}`));
    assert.doesNotMatch(await journal(), / foreign .*ny[btu]/);
  });
});
