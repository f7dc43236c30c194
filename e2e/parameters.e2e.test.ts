/** Compares names, filters and limits of the API on Netyard and on dockerd. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { call } from './support/api.ts';
import { cannotRun, type EngineName } from './support/engines.ts';
import { openHost, type TestHost } from './support/host.ts';

const engines: EngineName[] = ['netyard', 'dockerd'];
const version = '/v1.41';
const missing = engines.map(cannotRun).find((reason) => reason !== false) ?? false;

type Filters = Record<string, string[] | Record<string, boolean> | null> | null;

const filterPath = (path: string, filters: Filters): string =>
  `${version}${path}${path.includes('?') ? '&' : '?'}filters=${encodeURIComponent(JSON.stringify(filters))}`;

interface Listed {
  Names?: string[];
  RepoTags?: string[] | null;
  Name?: string;
}

/** Names of the listed objects, or that the filter was rejected, which dockerd 20.10 does with 400 or 500. */
async function listed(host: TestHost, path: string, filters: Filters): Promise<string[] | 'rejected'> {
  const { status, body } = await call(host, 'GET', filterPath(path, filters));
  if (status >= 400) return 'rejected';
  const answer: Listed[] | { Volumes: Listed[] } = JSON.parse(body);
  const items = Array.isArray(answer) ? answer : answer.Volumes;
  return items.flatMap(({ Name, Names, RepoTags }) => Name ?? Names ?? RepoTags ?? '').sort();
}

async function inspect<T>(host: TestHost, name: string): Promise<T> {
  return JSON.parse((await call(host, 'GET', `${version}/containers/${name}/json`)).body);
}

describe('parameters of the API', { skip: missing }, () => {
  const hosts: TestHost[] = [];
  /** Runs a scenario on both engines and compares the results. @returns the common result */
  const same = async <T>(scenario: (host: TestHost) => Promise<T>, note = ''): Promise<T> => {
    const [netyard, dockerd] = await Promise.all(hosts.map(scenario));
    assert.deepEqual(netyard, dockerd, note);
    return netyard as T;
  };
  before(async () => {
    for (const engine of engines) hosts.push(await openHost(engine, { images: ['netyard-test'] }));
    // No name is the start of an id: dockerd's filters of events match the ids of other objects as well.
    for (const host of hosts) {
      const run = (...args: string[]) => host.docker('run', '-d', ...args);
      await run(
        '--name',
        'up',
        '-l',
        'k=v',
        '-p',
        '127.0.0.1:8080:80',
        '-v',
        'vol:/data',
        'netyard-test',
        'sleep',
        '1d',
      );
      await run('--name', 'un', '--network', 'none', 'netyard-test', 'sleep', '1d');
      await host.docker('create', '--name', 'raw', '--expose', '90/udp', 'netyard-test', 'true');
      await host.tryDocker('run', '--name', 'ex', 'netyard-test', 'sh', '-c', 'exit 3');
      await host.docker('volume', 'create', '--label', 'a=b', 'free');
      await host.docker('tag', 'netyard-test', 'other:x');
    }
  });
  after(async () => {
    for (const host of hosts) await host.close();
  });

  const compareFilters = async (path: string, all: Filters[]): Promise<void> => {
    const results = new Set<string>();
    for (const filters of all) {
      const result = await same((host) => listed(host, path, filters), `${path} ${JSON.stringify(filters)}`);
      results.add(JSON.stringify(result));
    }
    assert.ok(results.size >= 4, `${path}: ${[...results].join()}`); // the filters have different results
  };
  /** One filter per value. */
  const each = (key: string, ...values: string[]): Filters[] => values.map((value) => ({ [key]: [value] }));

  test('filters of containers select the same ones', async () => {
    await compareFilters('/containers/json?all=1', [
      ...[null, { name: null }, { name: [] }, { name: { up: false } }, { name: { up: true, raw: true } }],
      ...each('nosuch', 'x'),
      ...each('driver', 'x'),
      ...each('name', 'u', '^/up$', '^up$', 'zz', '[', '*', ''),
      ...each('id', 'zzz'),
      ...each('label', 'k', 'k=v', 'k=x', 'z', ''),
      { label: ['k', 'z'] },
      ...each('label!', 'k'),
      ...each('status', 'running', 'exited', 'x', '', 'Running'),
      { status: ['exited', 'created'] },
      ...each('exited', '3', '0', '+3', 'x', '', '99999999999999999999'),
      ...each('health', 'none', 'healthy', 'x'),
      ...each('ancestor', 'netyard-test', 'netyard-test:latest', 'other:x', 'netyard-test:nope', 'nosuch', '', 'UPPER'),
      ...each('before', 'raw', 'nosuch', ''),
      ...each('since', 'up', 'nosuch'),
      { before: ['raw'], since: ['up'] },
      ...each('volume', 'vol', '/data', 'data', 'zz', ''),
      ...each('network', 'bridge', 'none', 'zz'),
      ...each('publish', '8080', '80', '8080/udp', '8000-9000/tcp', '80/foo', 'x', '1:2', '', '9000-8000', '70000'),
      ...each('expose', '90/udp', '80', '90', 'x'),
      ...each('is-task', 'true', 'false', 'x'),
      ...each('isolation', 'default', 'zz'),
    ]);
    await compareFilters('/containers/json', [
      null,
      ...each('name', 'up', 'ex'),
      ...each('status', 'exited'),
      ...each('exited', '3'),
      ...each('before', 'raw'),
    ]);
  });

  test('filters of images, networks and volumes select the same ones', async () => {
    await compareFilters('/images/json', [
      ...each('nosuch', 'x'),
      ...each('dangling', 'true', 'false', 'x', ''),
      ...each('label', 'k', ''),
      ...each('before', 'netyard-test', 'nosuch', ''),
      ...each('since', 'netyard-test', 'nosuch'),
      ...each(
        'reference',
        'netyard-test',
        'netyard*',
        '*:x',
        '*/*',
        '[',
        '',
        'netyard-test:latest',
        '**',
        'netyard-tes?',
      ),
      ...each('reference', 'docker.io/library/netyard-test', '{netyard-test,x}', '!(x)', '[a-n]etyard-test', '[^n]*'),
      ...each('name', 'netyard-test'),
    ]);
    await compareFilters('/networks', [
      ...[null, { driver: [] }, { scope: [] }, { name: ['none', 'host'] }, { type: ['custom', 'builtin'] }],
      ...each('nosuch', 'x'),
      ...each('dangling', 'true', 'false', 'x', ''),
      ...each('driver', 'bridge', 'brid', 'zz', ''),
      ...each('id', 'zz', ''),
      ...each('label', 'a', ''),
      ...each('name', 'one', '^none$', '['),
      ...each('scope', 'local', 'swarm', 'x'),
      ...each('type', 'custom', 'builtin', 'x', ''),
    ]);
    await compareFilters('/volumes', [
      ...[null, { driver: [] }],
      ...each('nosuch', 'x'),
      ...each('id', 'x'),
      ...each('dangling', 'true', 'false', 'x'),
      ...each('driver', 'local', 'loca', 'x', ''),
      ...each('name', 'vol', 'r', '^vol$', 'zz'),
      ...each('label', 'a=b', 'z', ''),
      ...each('label!', 'a'),
    ]);
  });

  test('filters of events select the same ones', async () => {
    const until = Math.floor(Date.now() / 1000) + 1;
    const all: Filters[] = [
      ...each('type', 'container', 'volume', 'x'),
      ...each('event', 'create', 'die', 'x'),
      { event: ['create', 'die'], type: ['container'] },
      ...each('container', 'up', 'u', 'zz'),
      ...each('image', 'netyard-test', 'other', 'other:x', 'nope'),
      ...each('label', 'k', 'k=v', 'k=z', ''),
      ...each('network', 'bridge', 'br', 'zz'),
      ...each('volume', 'vol', 'v', 'zz'),
      ...each('scope', 'swarm', 'x'),
      ...['daemon', 'node', 'plugin', 'service', 'secret', 'config'].flatMap((key) => each(key, 'x')),
      { container: ['up'], type: ['network'] },
    ];
    for (const filters of all)
      await same(async (host) => {
        const { status, body } = await call(host, 'GET', filterPath(`/events?since=1&until=${until}`, filters));
        const events: { Type: string; Action: string }[] = body
          .split('\n')
          .filter(Boolean)
          .map((line) => JSON.parse(line));
        return [status, ...events.map(({ Type, Action }) => `${Type} ${Action}`).sort()];
      }, JSON.stringify(filters));
  });

  test('runtime, isolation and volume driver are accepted and rejected alike', async () => {
    const bodies = [
      { Runtime: 'nosuch' },
      { Runtime: 'io.containerd.runc.v2' },
      { Isolation: 'default' },
      { Isolation: 'Default' },
      { Isolation: 'hyperv' },
      { Isolation: 'x' },
      { VolumeDriver: 'local', Binds: ['named:/x'] },
    ];
    for (const HostConfig of bodies)
      await same(async (host) => {
        const body = { Image: 'netyard-test', Volumes: { '/v': {} }, HostConfig };
        const { status } = await call(host, 'POST', `${version}/containers/create?name=c1`, body);
        if (status >= 400) return 'rejected';
        const { HostConfig: stored } = await inspect<{ HostConfig: Record<string, unknown> }>(host, 'c1');
        await host.docker('rm', '-v', 'c1');
        return Object.keys(HostConfig).map((key) => stored[key]);
      }, JSON.stringify(HostConfig));
    for (const host of hosts) {
      const { HostConfig } = await inspect<{ HostConfig: { Runtime: string } }>(host, 'up');
      assert.equal(HostConfig.Runtime, await host.docker('info', '-f', '{{.DefaultRuntime}}'));
    }
    // Not on dockerd, which searches for the plugin for half a minute.
    const [netyard] = hosts;
    const body = { Image: 'netyard-test', Volumes: { '/v': {} }, HostConfig: { VolumeDriver: 'nosuch' } };
    assert.ok(netyard);
    const rejected = await call(netyard, 'POST', `${version}/containers/create`, body);
    assert.match(rejected.body, /plugin \\"nosuch\\" not found/);
  });

  test('names of a rename and signals of a kill are accepted and rejected alike', async () => {
    const names = [
      'raw',
      '/raw',
      'up',
      '/up',
      'a',
      '-a',
      '',
      '/',
      '//x',
      'pre/x',
      'x y',
      'ä',
      'b'.repeat(300),
      'raw-2',
      'raw',
    ];
    let name = 'raw';
    for (const newName of names) {
      const status = await same(async (host) => {
        const path = `${version}/containers/${name}/rename?name=${encodeURIComponent(newName)}`;
        const { status, body } = await call(host, 'POST', path);
        return { status, message: body.replace(/[0-9a-f]{64}/g, 'ID').trim() };
      }, newName);
      if (status.status === 204) name = newName;
    }
    assert.equal(name, 'raw');
    const signals = [
      '99',
      '0',
      '-1',
      '65',
      '64',
      'CLD',
      'sigwinch',
      'SIGRTMIN',
      'RTMIN%2B3',
      'x',
      '%20',
      '9x',
      'UNUSED',
    ];
    for (const signal of signals)
      await same(async (host) => {
        await host.docker('start', 'un');
        const { status } = await call(host, 'POST', `${version}/containers/un/kill?signal=${signal}`);
        return status >= 400 ? 'rejected' : status;
      }, signal);
  });

  test('limits of an update are accepted and rejected alike', async () => {
    const changes = [
      { Memory: 30_000_000, MemorySwap: 40_000_000 },
      { Memory: 1 },
      { MemorySwap: 20_000_000 },
      { MemoryReservation: 20_000_000 },
      { PidsLimit: 50 },
      { PidsLimit: -1 },
      { CpusetCpus: '0' },
      { CpusetCpus: '99' },
      { CpusetCpus: 'x' },
      { CpuPeriod: 5 },
      { CpuPeriod: 50_000, CpuQuota: 10_000 },
      { CpuQuota: 5 },
      { NanoCpus: 1 },
      { CpuShares: 2 },
      { RestartPolicy: { Name: 'x' } },
      { RestartPolicy: { Name: 'always', MaximumRetryCount: 3 } },
      {},
    ];
    for (const change of changes)
      await same(async (host) => {
        const { status, body } = await call(host, 'POST', `${version}/containers/up/update`, change);
        const warnings: string[] = (status === 200 && JSON.parse(body).Warnings) || [];
        const { HostConfig } = await inspect<{ HostConfig: Record<string, unknown> }>(host, 'up');
        const keys = ['Memory', 'MemorySwap', 'MemoryReservation', 'CpusetCpus', 'CpuPeriod', 'CpuQuota', 'CpuShares'];
        return [status >= 400 ? 'rejected' : status, warnings, keys.map((key) => HostConfig[key])];
      }, JSON.stringify(change));
  });

  test('a container without a network has no networks and no counters', async () => {
    await same(async (host) => {
      const config = { Image: 'netyard-test', Cmd: ['sleep', '1d'], NetworkDisabled: true };
      await call(host, 'POST', `${version}/containers/create?name=bare`, config);
      const found: unknown[] = [];
      for (const step of ['create', 'start', 'stop']) {
        if (step !== 'create') await call(host, 'POST', `${version}/containers/bare/${step}?t=0`);
        const { Config, NetworkSettings } = await inspect<{
          Config: { NetworkDisabled: boolean };
          NetworkSettings: { Networks: object; Ports: object; IPAddress: string };
        }>(host, 'bare');
        const stats = await call(host, 'GET', `${version}/containers/bare/stats?stream=0&one-shot=1`);
        const { Networks, Ports, IPAddress } = NetworkSettings;
        found.push(Config.NetworkDisabled, Networks, Ports, IPAddress, stats.status, JSON.parse(stats.body).networks);
      }
      found.push(await host.docker('ps', '-a', '--filter', 'name=bare', '--format', '{{.Networks}}'));
      await host.docker('rm', '-f', 'bare');
      return found;
    });
  });
});
