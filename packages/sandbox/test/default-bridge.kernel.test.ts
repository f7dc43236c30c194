/** The default bridge with IPv6, with real packets: links and hosts files, IPv6 switched on and off while containers run. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { openKernel } from '@netyard/kernel';
import { inFreshHost, pings, sh } from '@netyard/testkit';
import type { NetworkSettings, SandboxConfig } from '../src/index.ts';
import { Testbed } from './testbed.ts';

const host = await inFreshHost(import.meta.url);

describe('the default bridge with IPv6', host, () => {
  const kernel = openKernel();
  const testbed = new Testbed({ kernel });
  const ipv6: Partial<NetworkSettings> = { bridgeIpv6: { fixedCidr: 'fd00:b::/64' } };

  const run = async (name: string, overrides: Partial<SandboxConfig> = {}) => {
    const state = await testbed.run(name, overrides);
    return {
      ...state,
      inside: (command: string) => sh(`nsenter --net=${state.netnsPath} ${command}`),
      hosts: () =>
        readFileSync(state.files.hosts, 'utf8')
          .split('\n')
          .filter((line) => line !== '' && !/^(?:127\.|::1|fe|ff)/.test(line))
          .map((line) => line.replaceAll(/\b[0-9a-f]{12}\b/g, 'ID')),
    };
  };
  const restart = async (settings: Partial<NetworkSettings>, running: readonly { containerId: string }[]) => {
    await testbed.networks.close();
    await testbed.open(settings).start(running.map(({ containerId }) => containerId));
  };
  type Running = Awaited<ReturnType<typeof run>>;
  let old: Running;
  let web: Running;
  let app: Running;

  before(async () => {
    await testbed.networks.start([]);
    old = await run('old');
    await restart(ipv6, [old]);
    web = await run('web', { extraHosts: ['outside:host-gateway'] });
    app = await run('app', { links: ['web:site'] });
  });
  after(async () => {
    await testbed.close();
    kernel.close();
  });

  test('containers reach each other and the host by both families', () => {
    for (const target of ['fd00:b::2', 'fd00:b::1', '172.17.0.2', '172.17.0.3'])
      assert.ok(pings(app.netnsPath, target), target);
    assert.match(app.inside('ip -6 route show default'), /^default via fd00:b::1 dev eth0 /);
    assert.equal(old.inside('ip -6 -o address show dev eth0'), '', 'it started before');
    assert.ok(pings(old.netnsPath, '172.17.0.3'));
  });

  test('host-gateway stands for the addresses of the bridge', () => {
    assert.deepEqual(web.hosts().slice(0, 2), ['172.17.0.1\toutside', 'fd00:b::1\toutside']);
  });

  test('a link has a line of each family, which follows its target', async () => {
    assert.deepEqual(app.hosts(), [
      '172.17.0.3\tsite ID web',
      'fd00:b::2\tsite ID web',
      '172.17.0.4\tID',
      'fd00:b::3\tID',
    ]);
    await testbed.stop(web.containerId);
    const [first, second] = [await run('first'), await run('second')];
    for (const { containerId } of [first, second]) await testbed.remove(containerId);
    await testbed.start(web.containerId);
    const { v4, v6 } = testbed.networks.state(web.containerId)?.endpoints[0]?.addresses ?? {};
    assert.deepEqual(app.hosts().slice(0, 2), [`${v4?.address}\tsite ID web`, `${v6?.address}\tsite ID web`]);
  });

  test('a parent without IPv6 gets no line of it, at its start and when its target starts again', async () => {
    const sysctls = { 'net.ipv6.conf.all.disable_ipv6': '1' };
    const plain = await run('plain', { links: ['web:site'], sysctls });
    const isV4 = (line: string): boolean => /^172\./.test(line);
    assert.ok(plain.hosts().length === 2 && plain.hosts().every(isV4), String(plain.hosts()));
    await testbed.stop(web.containerId);
    await testbed.start(web.containerId);
    assert.ok(plain.hosts().length === 2 && plain.hosts().every(isV4), String(plain.hosts()));
    await testbed.remove(plain.containerId);
  });

  test('a daemon without --ipv6 takes it from the bridge and from running containers', async () => {
    await restart({}, [old, web, app]);
    assert.equal(sh('ip -6 -o address show dev docker0'), '');
    assert.equal(sh('ip -6 route show fd00:b::/64'), '');
    assert.equal(app.inside('ip -6 -o address show dev eth0'), '');
    assert.equal(app.inside('ip -6 route show default'), '');
    const target = testbed.networks.state(web.containerId)?.endpoints[0]?.addresses.v4?.address ?? '';
    for (const address of ['172.17.0.1', target]) assert.ok(pings(app.netnsPath, address), address);
    assert.deepEqual(app.hosts(), [`${target}\tsite ID web`, '172.17.0.4\tID']);
  });

  test('a daemon with another IPv6 subnet gives it to containers that start again', async () => {
    await restart({ bridgeIpv6: { bip: 'fd00:c::5/64' } }, [old, web, app]);
    await testbed.stop(web.containerId);
    await testbed.start(web.containerId);
    assert.equal(testbed.networks.state(web.containerId)?.endpoints[0]?.addresses.v6?.address, 'fd00:c::1');
    assert.ok(pings(testbed.networks.state(web.containerId)?.netnsPath, 'fd00:c::5'));
    for (const { containerId } of [old, web, app]) await testbed.remove(containerId);
  });
});
