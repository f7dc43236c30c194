/** The tutorial's chapter 1 with `netyard ns`, `ip netns` and combinations of both. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openHost, type TestHost } from './support/host.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root: it creates lab hosts';

describe('namespaces', { skip }, () => {
  let host: TestHost;
  before(async () => {
    host = await openHost('netyard', { daemon: false });
  });
  after(() => host.close());

  /** The commands of each tool that create, enter and delete a namespace. */
  const tools = {
    ip: { add: 'ip netns add', exec: 'ip netns exec', remove: 'ip netns delete' },
    netyard: { add: 'netyard ns add', exec: 'netyard ns exec', remove: 'netyard ns rm' },
  };
  const names = async (line: string): Promise<string[]> =>
    (await host.sh(line))
      .split('\n')
      .map((text) => text.split(/\s/)[0] ?? '')
      .filter((name) => /^r\d$/.test(name))
      .sort();

  for (const [first, second] of [
    [tools.ip, tools.netyard],
    [tools.netyard, tools.ip],
    [tools.netyard, tools.netyard],
  ] as const)
    test(`the commands of chapter 1 work with ${first.add} r1 and ${second.add} r2`, async () => {
      await host.sh(`${first.add} r1 && ${second.add} r2`);
      assert.deepEqual(await names('ip netns list'), ['r1', 'r2']);
      assert.deepEqual(await names('netyard ns ls'), ['r1', 'r2']);
      assert.match(await host.sh(`${second.exec} r1 ifconfig -a`), /^lo: /m);
      await host.sh('ip link add veth1.1 type veth peer name veth1.2');
      await host.sh('ip link set dev veth1.2 netns r2');
      assert.match(await host.sh(`${first.exec} r2 ifconfig -a`), /^veth1\.2: /m);
      await host.sh(`${first.exec} r2 ip link set dev veth1.2 name eth0`);
      await host.sh('ifconfig veth1.1 10.1.1.1/24 up');
      await host.sh(`${second.exec} r2 ifconfig eth0 10.1.1.2/24 up`);
      assert.match(await host.sh('ping -c 1 -w 60 10.1.1.2'), / 1 received/);
      await host.sh('ip link set dev veth1.1 netns r1');
      assert.doesNotMatch(await host.sh('ip link show'), /veth1/);
      await host.sh(`${second.exec} r1 ip link set dev veth1.1 name eth0`);
      await host.sh(`${first.exec} r1 ifconfig eth0 10.1.1.1/24 up`);
      assert.match(await host.sh(`${second.exec} r1 ping -c 1 -w 60 10.1.1.2`), / 1 received/);
      await host.sh(`${second.remove} r1 && ${first.remove} r2`);
      assert.deepEqual(await names('ip netns list'), []);
      assert.deepEqual(await names('netyard ns ls'), []);
    });

  test('netyard ns link connects two namespaces in one step', async () => {
    await host.sh('netyard ns add r1 && ip netns add r2');
    await host.sh('netyard ns link r1:eth0=10.1.1.1/24 r2:eth0=10.1.1.2/24');
    assert.match(await host.sh('ip netns exec r1 ping -c 1 -w 60 10.1.1.2'), / 1 received/);
    assert.match(await host.sh('ip -n r2 -br address show eth0'), /UP +10\.1\.1\.2\/24/);
    assert.doesNotMatch(await host.sh('ip -br link'), /veth|eth0/);
    await host.sh('netyard ns rm r1 r2');
  });

  test("exec exits with the command's status", async () => {
    await host.sh('netyard ns add r1');
    assert.equal((await host.tryNetyard('ns', 'exec', 'r1', 'sh', '-c', 'exit 7')).status, 7);
    assert.equal((await host.tryNetyard('ns', 'exec', 'r1', '--', 'true')).status, 0);
    await host.sh('netyard ns rm r1');
  });

  const bad: [string[], RegExp][] = [
    [['add', 'a/b'], /Invalid netns name|invalid.*a\/b/i],
    [['add', '..'], /Invalid netns name|invalid/i],
    [['add', ''], /Invalid netns name|invalid/i],
    [['rm', '../../etc/passwd'], /Invalid netns name|invalid/i],
    [['rm', 'absent'], /absent/],
    [['exec', 'absent', 'true'], /absent/],
    [['add', 'taken'], /File exists|exists|taken/],
    [['link', 'taken:eth0=10.1.1.1/24', 'absent:eth0=10.1.1.2/24'], /absent/],
    [['link', 'taken:eth0=10.1.1.1', 'taken:eth1=10.1.1.2/24'], /10\.1\.1\.1/],
    [['link', 'taken:a-name-that-is-too-long=10.1.1.1/24', 'taken:eth1=10.1.1.2/24'], /a-name-that-is-too-long/],
  ];
  test('invalid names and addresses are rejected and change nothing', async (t) => {
    await host.sh('ip netns add taken');
    const before = await host.sh('ls /run/netns; ip -o link; ip -n taken -o link');
    for (const [args, message] of bad)
      await t.test(`netyard ns ${args.join(' ')}`, async () => {
        const result = await host.tryNetyard('ns', ...args);
        assert.ok(result.status !== 0, 'the command fails');
        assert.match(result.stderr, message);
        assert.equal(await host.sh('ls /run/netns; ip -o link; ip -n taken -o link'), before);
      });
    await host.sh('ip netns delete taken');
  });
});
