/** Tests that forward chains of other programs with a drop policy do not cut off containers: rules and real packets. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { openKernel, printCommands, printShell } from '@netyard/kernel';
import {
  addNeighbour,
  addUplink,
  ask,
  askBriefly,
  eventually,
  inFreshHost,
  pings,
  pingsBriefly,
  serve,
  setBridgeNetfilter,
  sh,
} from '@netyard/testkit';
import { Testbed } from './testbed.ts';

const host = await inFreshHost(import.meta.url);
const neighbour = '/run/netns/neighbour';

describe('forward chains of other programs', host, () => {
  const kernel = openKernel();
  const testbed = new Testbed({ kernel });
  let client = '';
  let target = '';
  /** Seen by a container that a neighbour of its bridge reaches through the host's address. */
  let source = '';

  before(async () => {
    // The bridge masquerades what does not pass the firewall on its way between two ports.
    source = setBridgeNetfilter('1') ? '172.17.0.3' : '172.17.0.1';
    addUplink();
    addNeighbour('neighbour', 9);
    sh('ip -n neighbour route add default via 192.0.2.1');
    await testbed.networks.start([]);
    const web = await testbed.run('web', { ports: [{ protocol: 'tcp', containerPort: 80, hostPort: 8801 }] });
    const other = await testbed.run('client');
    client = other.netnsPath ?? '';
    target = web.endpoints[0]?.addresses.v4?.address ?? '';
    await serve(web.netnsPath, 'tcp', 80, 'web');
  });

  afterEach(async () => {
    sh('nft delete table ip filter 2>/dev/null; nft delete table inet firewalld 2>/dev/null; true');
    await eventually('nothing cuts containers off', () => testbed.networks.warnings().length === 0);
  });

  after(async () => {
    await testbed.close();
    kernel.close();
  });

  const published = (): boolean => askBriefly(neighbour, 'tcp', '192.0.2.1', 8801) === 'web 192.0.2.9';
  const count = (): string => sh('nft list ruleset | grep -c "comment \\"netyard: [ft].*docker0\\"" || true').trim();

  /** Waits for this number of accept rules first: a packet lost before they exist would cost a second. */
  async function passes(rules = '2'): Promise<void> {
    await eventually(`there are ${rules} rules`, () => count() === rules);
    await eventually('the published port is reached from outside', published);
    assert.equal(ask(client, 'tcp', '192.0.2.1', 8801), `web ${source}`, 'through the host’s address');
    assert.ok(pings(client, '192.0.2.9'), 'outwards');
    assert.ok(pings(client, target), 'to each other');
    assert.deepEqual(testbed.networks.warnings(), []);
  }

  const chains: [string, string][] = [
    ['iptables with policy DROP', 'iptables -P FORWARD DROP'],
    ['iptables with a last rule that drops', 'iptables -A FORWARD -j DROP'],
    ['iptables with a first rule that rejects', 'iptables -A FORWARD -j ACCEPT; iptables -I FORWARD -j REJECT'],
    [
      "Docker's chains",
      'iptables -P FORWARD DROP; iptables -N DOCKER-USER; iptables -A DOCKER-USER -j RETURN; iptables -A FORWARD -j DOCKER-USER',
    ],
    [
      "firewalld's table",
      'nft "table inet firewalld { chain filter_FORWARD { type filter hook forward priority filter + 10; ct state { established, related } accept; jump zones; reject with icmpx admin-prohibited; }; chain zones { }; }"',
    ],
  ];
  for (const [what, commands] of chains) {
    test(`containers are reachable and have outbound access with ${what}`, async () => {
      sh(commands);
      await passes();
    });
  }

  const accepted = (): string => sh('iptables -S FORWARD | grep -c -- "-j ACCEPT" || true').trim();

  test('iptables lists the rules and keeps them across save and restore without duplicates', async () => {
    sh('iptables -P FORWARD DROP');
    await passes();
    assert.match(sh('iptables -S FORWARD'), /-i docker0 .*--comment "netyard: from docker0" -j ACCEPT/);
    sh('iptables-save > /run/netns/saved && iptables-restore < /run/netns/saved');
    await eventually('there are two rules', () => accepted() === '2');
    await passes();
    sh('iptables-restore --noflush < /run/netns/saved');
    await eventually('the duplicates are deleted', () => accepted() === '2');
    await passes();
  });

  test('rules that an old dump of iptables restores are deleted when they are not needed', async () => {
    sh('iptables -P FORWARD DROP');
    await passes();
    sh('iptables-save | sed "s/docker0/br-deleted/g; s/DROP/ACCEPT/" > /run/netns/saved');
    sh('iptables -P FORWARD ACCEPT; iptables -A FORWARD -m comment --comment "of an administrator" -j ACCEPT');
    await eventually('no rule is left', () => count() === '0');
    sh('iptables-restore --noflush < /run/netns/saved; rm /run/netns/saved');
    await eventually('those of the dump are deleted', () => accepted() === '1');
    assert.match(sh('iptables -S FORWARD'), /of an administrator/);
  });

  test('the rules open no unpublished port', async () => {
    sh('iptables -P FORWARD DROP');
    await passes();
    assert.equal(askBriefly(neighbour, 'tcp', target, 80), '');
    assert.equal(pingsBriefly(neighbour, target), false);
  });

  const upsets: [string, string][] = [
    ['flushed', 'iptables -F FORWARD'],
    ['made anew', 'nft delete table ip filter; iptables -P FORWARD DROP'],
    ['reloaded with a drop before our rules', 'iptables -I FORWARD -j DROP'],
  ];
  for (const [what, command] of upsets) {
    test(`the rules are restored in a chain that is ${what}`, async () => {
      sh('iptables -P FORWARD DROP');
      await passes();
      sh(command);
      await passes();
    });
  }

  test('the rules are deleted when no chain drops any more', async () => {
    sh('iptables -P FORWARD DROP');
    await passes();
    sh('iptables -P FORWARD ACCEPT');
    await eventually('no rule is left', () => count() === '0');
    await eventually('the published port is reached', published);
  });

  test('an explicit drop rule for the bridge is respected and reported', async () => {
    sh('iptables -P FORWARD DROP');
    await passes();
    sh('iptables -I FORWARD -o docker0 -j DROP');
    await eventually('it is named', () => testbed.networks.warnings().length === 1);
    assert.match(testbed.networks.warnings()[0] ?? '', /ip filter FORWARD drops what docker0 forwards/);
  });

  test('explain prints the rules as equivalent commands', async () => {
    sh('iptables -P FORWARD DROP');
    await passes();
    const script = printShell(testbed.networks.explain('web'));
    assert.match(
      script,
      /nft 'insert rule ip filter FORWARD iifname "docker0" accept comment "netyard: from docker0"'/,
    );
    const rules = testbed.networks.explain('web').objects.filter(({ kind }) => kind === 'nft-rule');
    await testbed.networks.close();
    for (const object of rules) sh(printCommands({ action: 'delete', object }).join(' && '));
    assert.equal(count(), '0');
    for (const object of rules) sh(printCommands({ action: 'create', object }).join(' && '));
    assert.equal(count(), '2');
    await testbed.open().start([...testbed.containers.keys()]);
    await passes();
  });

  test('the rules stay while containers run without the daemon, and are deleted when none runs', async () => {
    sh('iptables -P FORWARD DROP');
    await passes();
    const ids = [...testbed.containers.keys()];
    await testbed.networks.close();
    assert.equal(count(), '2');
    await eventually('the published port is reached', published);
    await testbed.open().start(ids);
    assert.equal(count(), '2');
    for (const id of ids) await testbed.networks.release(id);
    await testbed.networks.close();
    assert.equal(count(), '0');
    await testbed.open().start([]);
    assert.equal(count(), '2');
  });

  test('cleanup without the daemon deletes the rules', async () => {
    sh('iptables -P FORWARD DROP');
    await eventually('they are there', () => count() === '2');
    await testbed.networks.close();
    sh(`nft 'insert rule ip filter FORWARD iifname "docker0" accept comment "netyard: from docker0"'`); // as a killed daemon leaves it
    const other = testbed.open();
    assert.ok((await other.cleanup({ dryRun: false })).some((text) => /nft rule ip filter FORWARD/.test(text)));
    assert.equal(count(), '0');
    await other.start([]);
  });

  test('when disabled, no rule is added and a warning names the chain', async () => {
    sh('iptables -P FORWARD DROP');
    await testbed.networks.close();
    const off = testbed.open({ foreignFirewall: false });
    await off.start([]);
    assert.equal(count(), '0');
    const expected =
      'Published ports and outgoing traffic may not work: ip filter FORWARD drops what docker0 forwards (policy drop).';
    assert.deepEqual(off.warnings(), [expected]);
    assert.deepEqual((await off.register(testbed.config('late'))).warnings, [expected]);
    assert.deepEqual((await off.register(testbed.config('hosts', { mode: { kind: 'host' } }))).warnings, []);
    sh('iptables -P FORWARD ACCEPT');
    await eventually('the warning ends', () => off.warnings().length === 0);
  });
});
