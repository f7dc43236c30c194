/** `netyard doctor` with and without a daemon: what another program changed is found, and the printed fix works. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cannotRun } from './support/engines.ts';
import { openHost, type TestHost } from './support/host.ts';

interface Finding {
  id: string;
  grade: 'ok' | 'info' | 'warning' | 'broken';
  text: string;
  fix?: string;
}

describe('doctor', { skip: cannotRun('netyard') }, () => {
  let host: TestHost;
  before(async () => {
    host = await openHost('netyard', { images: ['nginx-app01'] });
    await host.docker('run', '-d', '--name', 'web', 'nginx-app01', 'nginx');
  });
  after(() => host.close());

  /** Findings of Netyard's own state; what the host's packages lack does not belong to the tests. */
  async function examine(...args: string[]): Promise<{ found: Finding[]; status: number | null }> {
    const result = await host.tryNetyard('doctor', '--format', 'json', ...args);
    const ids = ['daemon', 'desired state', 'settings', 'routes', 'forwarding', 'containers'];
    const stateIds = ['database', 'schema', 'backup', 'unknown data', 'records'];
    const all = JSON.parse(result.stdout) as Finding[];
    return { found: all.filter(({ id }) => [...ids, ...stateIds].includes(id)), status: result.status };
  }
  const failed = (found: readonly Finding[]): Finding[] =>
    found.filter(({ grade }) => grade === 'warning' || grade === 'broken');
  const withoutDaemon = () => examine('--data-root', host.dataFolder);

  test('finds nothing wrong while the daemon runs, and states what is forwarded and not repaired', async () => {
    await host.docker('run', '-d', '--name', 'vpn', '--cap-add', 'NET_ADMIN', 'nginx-app01', 'nginx');
    const { found } = await examine();
    assert.deepEqual(failed(found), []);
    const textOf = (id: string): string => found.find((finding) => finding.id === id)?.text ?? '';
    assert.equal(textOf('daemon'), 'running');
    assert.match(textOf('forwarding'), /^enabled by /);
    assert.match(textOf('containers'), /^container vpn: changes inside it are not repaired: .*CAP_NET_ADMIN/);
    assert.match(textOf('database'), /netyard\.db matches the containers/);
    await host.docker('rm', '-f', 'vpn');
  });

  test('a dry run of recover works while the daemon runs', async () => {
    const shown = await host.netyard('system', 'recover', '--dry-run', '--data-root', host.dataFolder);
    assert.equal(shown, 'nothing to recover: the database matches the containers');
    const refused = await host.tryNetyard('system', 'recover', '--data-root', host.dataFolder);
    assert.match(refused.stderr, /another Netyard daemon uses/);
  });

  test('a daemon whose socket is elsewhere is found by its lock', async () => {
    const result = await host.tryNetyard(
      ...['-H', 'unix:///run/elsewhere.sock', 'doctor', '--format', 'json', '--data-root', host.dataFolder],
    );
    const found = JSON.parse(result.stdout) as Finding[];
    assert.match(found.find(({ id }) => id === 'daemon')?.text ?? '', /^a daemon uses .* but does not answer/);
    assert.equal(found.find(({ id }) => id === 'database')?.grade, 'ok');
  });

  test('without the daemon finds changed kernel objects and record files; the fixes work', async () => {
    await host.killDaemon();
    const healthy = await withoutDaemon();
    assert.deepEqual(failed(healthy.found), []);
    assert.match(healthy.found.find(({ id }) => id === 'daemon')?.text ?? '', /does not run/);

    await host.sh('ip route delete 172.17.0.0/16 dev docker0; sysctl -qw net.ipv4.conf.docker0.route_localnet=0');
    const damaged = await withoutDaemon();
    assert.equal(damaged.status, 1);
    assert.deepEqual(
      failed(damaged.found).map(({ grade, text }) => `${grade}: ${text}`),
      [
        'warning: sysctl net.ipv4.conf.docker0.route_localnet is 0, not 1',
        'broken: address 172.17.0.1/16 on docker0 differs: without the route to its subnet',
      ],
    );
    for (const { fix } of failed(damaged.found)) await host.sh((fix ?? '').replace(/^start the daemon, or: /, ''));
    assert.deepEqual(failed((await withoutDaemon()).found), []);

    const unknown = 'f'.repeat(64);
    await host.sh(`mkdir ${host.dataFolder}/overlay/containers/${unknown}`);
    await host.sh(`rm ${host.dataFolder}/records/containers/*.json`);
    const texts = failed((await withoutDaemon()).found).map(({ text }) => text);
    assert.equal(texts.length, 2, texts.join('\n'));
    assert.match(texts[0] ?? '', new RegExp(`^container ${unknown} has no record: `));
    assert.match(texts[1] ?? '', /^container \w+ has no record file$/);

    await host.restartDaemon();
    const restarted = failed((await examine()).found).map(({ text }) => text);
    assert.deepEqual(restarted.length, 1, restarted.join('\n'));
    await host.sh(`rmdir ${host.dataFolder}/overlay/containers/${unknown}`);
    assert.deepEqual(failed((await examine()).found), []);
  });

  test('names a damaged database and the command that rebuilds it', async () => {
    await host.killDaemon();
    await host.sh(`rm ${host.dataFolder}/netyard.db*`);
    const { found, status } = await withoutDaemon();
    assert.equal(status, 1);
    const database = found.find(({ id }) => id === 'database');
    assert.equal(database?.grade, 'broken');
    assert.match(database.text, /the database is missing or empty, but 1 container/);
    assert.match(database.fix ?? '', /netyard system recover --dry-run --data-root/);
    await host.netyard('system', 'recover', '--data-root', host.dataFolder);
    await host.restartDaemon();
    assert.match(await host.docker('ps'), /web/);
    assert.deepEqual(failed((await examine()).found), []);
  });
});
