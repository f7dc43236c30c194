/** A host whose FORWARD chain drops, as set up by Docker, ufw or an administrator: Netyard adds an allow rule, or warns. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cannotRun } from './support/engines.ts';
import { openHost, openHosts, type TestHost, until } from './support/host.ts';

const hasNftIptables = (host: TestHost): Promise<boolean> =>
  host.run(['iptables', '--version']).then(({ stdout }) => stdout.includes('nf_tables'));

describe('a FORWARD chain with policy DROP', { skip: cannotRun('netyard') }, () => {
  let host: TestHost;
  let neighbour: TestHost;
  before(async () => {
    const [first, second] = await openHosts('netyard', ['server1', 'server2'], { images: ['nginx-app01'] });
    assert.ok(first && second);
    [host, neighbour] = [first, second];
  });
  after(() => host.close());

  test('published ports answer on every path, also after a flush', async (t) => {
    if (!(await hasNftIptables(host))) return t.skip('needs iptables-nft');
    await host.docker('run', '-d', '--name', 'web', '-p', '8801:80', 'nginx-app01', 'nginx');
    for (const command of ['iptables -P FORWARD DROP', 'iptables -F FORWARD', 'iptables -I FORWARD -j REJECT']) {
      await host.sh(command);
      const url = 'http://172.16.2.101:8801/';
      const retry = '--max-time 8 --connect-timeout 1 --retry 60 --retry-delay 1 --retry-all-errors';
      assert.match(await neighbour.sh(`curl -s ${retry} ${url}`), /nginx-app01/, command);
      assert.match(await host.docker('exec', 'web', 'wget', '-T', '30', '-qO-', url), /nginx-app01/, command);
    }
    const created = await host.run(['docker', 'create', '--name', 'quiet', 'nginx-app01']);
    assert.doesNotMatch(created.stderr, /WARNING/);
    assert.match(await host.netyard('explain', 'web'), /nft 'insert rule ip filter FORWARD iifname "docker0" accept/);
    assert.match(await host.netyard('doctor', '--format', 'json'), /no chain drops forwarded packets of containers/);
    await host.docker('rm', '-f', 'web', 'quiet');
  });
});

describe('a FORWARD chain with policy DROP and --foreign-firewall=false', { skip: cannotRun('netyard') }, () => {
  let host: TestHost;
  before(async () => {
    host = await openHost('netyard', { images: ['nginx-app01'], daemonOptions: ['--foreign-firewall=false'] });
  });
  after(() => host.close());

  test('create, info and doctor warn, and no rule is added', async (t) => {
    if (!(await hasNftIptables(host))) return t.skip('needs iptables-nft');
    await host.sh('iptables -P FORWARD DROP');
    const warning = /WARNING: Published ports and outgoing traffic may not work: ip filter FORWARD drops what docker0 /;
    const info = async (): Promise<string> => {
      const { stdout, stderr } = await host.run(['docker', 'info']);
      return stdout + stderr;
    };
    await until(async () => warning.test(await info()), 'info warns');
    const created = await host.run(['docker', 'run', '-d', '--name', 'web', 'nginx-app01', 'nginx']);
    assert.equal(created.status, 0, created.stderr);
    assert.match(created.stderr, warning);
    assert.match(await host.netyard('doctor'), /forward policy .*ip filter FORWARD drops what docker0 forwards/);
    assert.equal(await host.sh('iptables -S FORWARD'), '-P FORWARD DROP\n');
  });
});
