/** Tests the warnings about other programs' chains that drop, with real packets, and that the fix of each works. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { silentLogger } from '@netyard/core';
import { openKernel } from '@netyard/kernel';
import { describeBlock, findForwardingBlocks } from '@netyard/network';
import { addNeighbour, addUplink, askBriefly, eventually, inFreshHost, serve, sh, succeeds } from '@netyard/testkit';
import { Testbed } from './testbed.ts';

const host = await inFreshHost(import.meta.url);
const neighbour = '/run/netns/neighbour';

describe('chains of other programs that drop', host, () => {
  const kernel = openKernel();
  const logged: string[] = [];
  const warn = (message: string, fields = {}): void =>
    void logged.push(`${message} ${Object.values(fields).join(' ')}`);
  const testbed = new Testbed({ kernel, logger: { ...silentLogger, warn } });

  const running = (): string[] => [...testbed.containers.keys()];
  const published = (): boolean => askBriefly(neighbour, 'tcp', '192.0.2.1', 8801) === 'web 192.0.2.9';
  const count = (): string => sh('nft list ruleset | grep -c "comment \\"netyard: [ft].*docker0\\"" || true').trim();

  before(async () => {
    addUplink();
    addNeighbour('neighbour', 9);
    await testbed.networks.start([]);
    const web = await testbed.run('web', { ports: [{ protocol: 'tcp', containerPort: 80, hostPort: 8801 }] });
    await serve(web.netnsPath, 'tcp', 80, 'web');
    await eventually('the published port is reached', published);
  });

  afterEach(async () => {
    sh('nft delete table ip filter 2>/dev/null; nft delete table inet firewalld 2>/dev/null; true');
    if (succeeds(undefined, 'iptables-legacy', '-F')) sh('iptables-legacy -P FORWARD ACCEPT; iptables-legacy -X');
    await testbed.networks.close();
    await testbed.open().start(running());
  });

  after(async () => {
    await testbed.close();
    kernel.close();
  });

  const name = 'ip filter FORWARD';
  const blocks: [string, string, string][] = [
    ['policy DROP', 'iptables -P FORWARD DROP', `${name} drops what docker0 forwards (policy drop)`],
    [
      'a drop in a chain that is jumped to',
      'iptables -N SITE; iptables -A FORWARD -j SITE; iptables -A SITE -o docker0 -j DROP',
      `${name} drops what docker0 forwards (rule "oifname "docker0" drop" of chain SITE)`,
    ],
    [
      'a drop in a chain that is gone to',
      'iptables -N SITE; iptables -A FORWARD -g SITE; iptables -A SITE -j REJECT',
      `${name} drops what docker0 forwards (rule "reject" of chain SITE)`,
    ],
    [
      'a conditional drop in a chain of DOCKER-USER',
      'iptables -N SITE; iptables -N DOCKER-USER; iptables -A FORWARD -j DOCKER-USER; iptables -A DOCKER-USER -j SITE; iptables -A SITE -s 192.0.2.9 -j DROP',
      `${name} may drop: ip saddr 192.0.2.9 drop of chain SITE (packets of docker0)`,
    ],
    [
      'a verdict map in a table of its own',
      'nft "table inet firewalld { chain drops { drop; }; chain f { type filter hook forward priority 1; oifname vmap { docker0 : goto drops }; }; }"',
      'inet firewalld f drops what docker0 forwards (rule "drop" of chain drops)',
    ],
    [
      'policy DROP of iptables-legacy',
      'iptables-legacy -P FORWARD DROP',
      'iptables-legacy filter FORWARD drops what docker0 forwards (policy drop)',
    ],
    [
      'a conditional drop of iptables-legacy in a chain that is jumped to',
      'iptables-legacy -N SITE; iptables-legacy -A FORWARD -j SITE; iptables-legacy -A SITE -s 192.0.2.9 -j DROP',
      'iptables-legacy filter FORWARD may drop: -s 192.0.2.9/32 -j DROP of chain SITE (packets of docker0)',
    ],
  ];
  for (const [what, commands, expected] of blocks) {
    test(`when disabled, ${what} is logged at start with a fix that works`, async (t) => {
      if (commands.startsWith('iptables-legacy') && !succeeds(undefined, 'iptables-legacy', '-L', '-n'))
        return t.skip('no iptables-legacy here');
      await testbed.networks.close();
      sh(commands);
      logged.length = 0;
      const off = testbed.open({ foreignFirewall: false });
      await off.start(running());
      assert.ok(
        logged.some((text) => text.includes(expected)),
        logged.join('\n'),
      );
      const warning = `Published ports and outgoing traffic may not work: ${expected}.`;
      assert.deepEqual(off.warnings(), [warning]);
      assert.deepEqual((await off.register(testbed.config('late'))).warnings, [warning]);
      assert.equal(published(), false, 'the block is real');
      const [block, ...others] = await findForwardingBlocks(kernel, ['docker0']);
      assert.deepEqual([block && describeBlock(block), others], [expected, []]);
      const fix = block?.fix ?? '';
      sh(fix.slice(fix.search(/(nft|iptables-legacy) /)));
      assert.deepEqual(await findForwardingBlocks(kernel, ['docker0']), []);
      await eventually('the published port is reached', published);
    });
  }

  test('a conditional drop is no warning while accept rules are added', async () => {
    sh('iptables -N DOCKER-USER; iptables -A FORWARD -j DOCKER-USER; iptables -A DOCKER-USER -s 192.0.2.9 -j DROP');
    await eventually('the rules are added', () => count() === '2');
    assert.deepEqual(testbed.networks.warnings(), []);
    const [block] = await findForwardingBlocks(kernel, ['docker0']);
    assert.equal(block?.kind, 'may-drop');
    assert.equal(published(), false);
  });

  test('rules of iptables-legacy that cannot be read are unknown', async (t) => {
    if (!succeeds(undefined, 'iptables-legacy', '-L', '-n')) return t.skip('no iptables-legacy here');
    const path = sh('command -v iptables-legacy-save').trim();
    sh(`mount --bind /dev/null ${path}`);
    try {
      const [block] = await findForwardingBlocks(kernel, ['docker0']);
      assert.match(block ? describeBlock(block) : '', /iptables-legacy FORWARD is unknown: .* its table filter/);
    } finally {
      sh(`umount ${path}`);
    }
  });
});
