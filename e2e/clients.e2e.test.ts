/**
 * The calls of programs that drive the engine with a fixed, often old, version of its API: Traefik reads containers and
 * their events, Watchtower recreates containers from what inspect shows, Portainer and lazydocker list everything.
 */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { apiSocket, call } from './support/api.ts';
import { cannotRun, enginesUnderTest } from './support/engines.ts';
import { openHost, type TestHost, until } from './support/host.ts';

interface Network {
  IPAddress: string;
  Aliases: string[] | null;
  IPAMConfig: unknown;
  MacAddress: string;
}

interface Container {
  Id: string;
  Name: string;
  Image: string;
  Config: Record<string, unknown> & { Labels: Record<string, string>; Image: string; Env: string[] };
  HostConfig: Record<string, unknown> & { NetworkMode: string };
  State: { Running: boolean; Health?: { Status: string } };
  NetworkSettings: { Ports: Record<string, { HostPort: string }[] | null>; Networks: Record<string, Network> };
}

interface Event {
  Type: string;
  Action: string;
  status?: string;
  id?: string;
  Actor: { ID: string; Attributes: Record<string, string> };
}

/** Calls with one version of the API; each must have the given status. */
class Client {
  readonly #host: TestHost;
  readonly #prefix: string;

  constructor(host: TestHost, version: string) {
    this.#host = host;
    this.#prefix = `/v${version}`;
  }

  async send<T>(method: string, path: string, status: number, body?: unknown): Promise<T> {
    const answer = await call(this.#host, method, `${this.#prefix}${path}`, body);
    assert.equal(answer.status, status, `${method} ${path}: ${answer.body}`);
    return (answer.body.startsWith('{') || answer.body.startsWith('[') ? JSON.parse(answer.body) : answer.body) as T;
  }

  get<T>(path: string): Promise<T> {
    return this.send<T>('GET', path, 200);
  }

  /** Reads values of a stream into a list until it is closed. */
  stream<T>(path: string): { values: T[]; close: () => void } {
    const values: T[] = [];
    let rest = '';
    const outgoing = request(
      { socketPath: apiSocket(this.#host), path: `${this.#prefix}${path}`, agent: false },
      (answer) => {
        answer.setEncoding('utf8').on('data', (text) => {
          const lines = `${rest}${text}`.split('\n');
          rest = lines.pop() ?? '';
          values.push(...lines.filter((line) => line.trim() !== '').map((line) => JSON.parse(line) as T));
        });
      },
    );
    outgoing.on('error', () => {});
    outgoing.end();
    return { values, close: () => outgoing.destroy() };
  }
}

const filters = (fields: Record<string, string[]>): string => `filters=${encodeURIComponent(JSON.stringify(fields))}`;
/** As clients in Go encode filters since API 1.22. */
const goFilters = (fields: Record<string, string[]>): string => {
  const sets = Object.entries(fields).map(([name, values]) => [name, Object.fromEntries(values.map((v) => [v, true]))]);
  return `filters=${encodeURIComponent(JSON.stringify(Object.fromEntries(sets)))}`;
};

for (const engine of enginesUnderTest())
  describe(`programs that watch and manage containers on ${engine}`, { skip: cannotRun(engine) }, () => {
    let host: TestHost;

    before(async () => {
      host = await openHost(engine, { images: ['netyard-test', 'nginx-web01'] });
      await host.sh('docker network create front; docker network create back; docker volume create data');
    });
    after(async () => {
      await host?.close();
    });

    for (const version of ['1.24', '1.44', '1.51', '1.52'])
      test(`Traefik with API ${version} finds services and follows their start, health and end`, async () => {
        const client = new Client(host, version);
        const { ApiVersion } = await client.get<{ ApiVersion: string }>('/version');
        assert.match(ApiVersion, /^1\.\d+$/);
        const events = client.stream<Event>(`/events?${goFilters({ type: ['container'] })}`);
        const health = '--health-interval 200ms --health-cmd true';
        const labels = "-l traefik.enable=true -l 'traefik.http.routers.shop.rule=Host(`shop.test`)'";
        await host.sh(`docker run -d --name shop --network front ${health} ${labels} -p 127.0.0.1::80 nginx-web01`);
        await until(() => events.values.some(({ Action }) => Action === 'health_status: healthy'), 'health_status');

        const [listed, ...others] = await client.get<(Container & { Names: string[] })[]>('/containers/json?limit=0');
        assert.deepEqual([listed?.Names, others], [['/shop'], []]);
        const shop = await client.get<Container>(`/containers/${listed?.Id}/json`);
        assert.equal(shop.Name, '/shop');
        assert.equal(shop.Config.Labels['traefik.http.routers.shop.rule'], 'Host(`shop.test`)');
        assert.equal(shop.HostConfig.NetworkMode, 'front');
        assert.equal(shop.State.Health?.Status, 'healthy');
        assert.match(shop.NetworkSettings.Ports['80/tcp']?.[0]?.HostPort ?? '', /^\d+$/);
        assert.match(shop.NetworkSettings.Networks['front']?.IPAddress ?? '', /^172\./);

        await host.sh('docker rm -f shop');
        await until(() => events.values.some(({ Action }) => Action === 'destroy'), 'destroy');
        events.close();
        const seen = events.values.map(({ Action }) => Action.replace(/^exec_\w+.*/, 'exec'));
        const expected = ['start', 'health_status: healthy', 'die'];
        assert.deepEqual(
          seen.filter((action) => expected.includes(action)),
          expected,
        );
        const start = events.values.find(({ Action }) => Action === 'start');
        const former = version === '1.52' ? [undefined, undefined] : ['start', start?.Actor.ID]; // read by clients of 1.21
        assert.deepEqual([start?.status, start?.id], former);
      });

    test('Watchtower recreates a container with its settings, networks and name', async () => {
      const client = new Client(host, '1.25');
      await host.sh(
        'docker run -d --name app --network front --network-alias web -v data:/data -e A=b -l kind=app ' +
          '-p 8088:80 --memory 64m --ulimit nofile=99:100 --cap-add NET_ADMIN --tmpfs /t --restart unless-stopped nginx-web01',
      );
      await host.sh('docker network connect --alias store back app');
      const [listed] = await client.get<{ Id: string }[]>(`/containers/json?${goFilters({ status: ['running'] })}`);
      const old = await client.get<Container>(`/containers/${listed?.Id}/json`);
      assert.equal((await client.get<{ Id: string }>(`/images/${old.Image}/json`)).Id, old.Image);

      await client.send('POST', `/containers/${old.Id}/kill?signal=SIGTERM`, 204);
      await until(
        async () => !(await client.get<Container>(`/containers/${old.Id}/json`)).State.Running,
        'the container has stopped',
      );
      await client.send('DELETE', `/containers/${old.Id}?force=1`, 204);
      await client.send('GET', `/containers/${old.Id}/json`, 404);

      const endpoints = old.NetworkSettings.Networks;
      const [first = ''] = Object.keys(endpoints);
      const { Id } = await client.send<{ Id: string }>('POST', '/containers/create?name=app', 201, {
        ...old.Config,
        HostConfig: old.HostConfig,
        NetworkingConfig: { EndpointsConfig: { [first]: endpoints[first] } },
      });
      await client.send('POST', `/networks/${first}/disconnect`, 200, { Container: Id, Force: true });
      for (const [name, endpoint] of Object.entries(endpoints))
        await client.send('POST', `/networks/${name}/connect`, 200, { Container: Id, EndpointConfig: endpoint });
      await client.send('POST', `/containers/${Id}/start`, 204);

      const replaced = await client.get<Container>(`/containers/${Id}/json`);
      assert.equal(replaced.State.Running, true);
      const unchanged = ({ Config: { Hostname: _name, ...config }, HostConfig }: Container): unknown => [
        config,
        HostConfig,
      ];
      assert.deepEqual(unchanged(replaced), unchanged(old));
      const { Networks } = replaced.NetworkSettings;
      assert.deepEqual(Object.keys(Networks).sort(), ['back', 'front']);
      assert.ok(Networks['front']?.Aliases?.includes('web') && Networks['back']?.Aliases?.includes('store'));
      assert.match(await host.sh('curl -sS --retry 20 --retry-connrefused http://127.0.0.1:8088/'), /web01/);

      // Watchtower gives its own container another name before it starts the new one.
      await client.send('POST', `/containers/${Id}/rename?name=renamed`, 204);
      assert.equal((await client.get<Container>('/containers/renamed/json')).Id, Id);
      await host.sh('docker rm -f renamed');
    });

    test('Portainer lists everything, and reads Swarm as inactive', async () => {
      const id = (await host.docker('run', '-d', '--name', 'listed', '--network', 'back', 'nginx-web01')).trim();
      const client = new Client(host, '1.41');
      assert.equal(await client.get('/_ping'), 'OK');
      const info = await client.get<{
        Swarm: { LocalNodeState: string };
        Plugins: { Network: string[] };
        Containers: number;
      }>('/info');
      assert.equal(info.Swarm.LocalNodeState, 'inactive');
      assert.ok(info.Plugins.Network.includes('bridge'));
      assert.equal(info.Containers, 1);
      const containers = await client.get<{ Id: string; SizeRootFs: number }[]>('/containers/json?all=1&size=1');
      assert.deepEqual(
        containers.map(({ Id }) => Id),
        [id],
      );
      assert.ok((containers[0]?.SizeRootFs ?? 0) > 0);
      const images = await client.get<{ RepoTags: string[] }[]>('/images/json?all=0');
      assert.deepEqual(images.map(({ RepoTags }) => RepoTags[0]).sort(), ['netyard-test:latest', 'nginx-web01:latest']);
      const networks = await client.get<{ Name: string }[]>('/networks');
      assert.deepEqual(networks.map(({ Name }) => Name).sort(), ['back', 'bridge', 'front', 'host', 'none']);
      const volumes = await client.get<{ Volumes: { Name: string }[] }>(`/volumes?${filters({ dangling: ['true'] })}`);
      assert.deepEqual(
        volumes.Volumes.map(({ Name }) => Name),
        ['data'],
      );
      const stats = await client.get<{ memory_stats: { usage: number } }>(`/containers/${id}/stats?stream=false`);
      assert.ok(stats.memory_stats.usage > 0);
      assert.deepEqual((await client.get<{ Titles: string[] }>(`/containers/${id}/top`)).Titles[0], 'UID');
      assert.deepEqual(await client.get('/plugins'), []);
      const past = await call(host, 'GET', `/v1.41/events?since=0&until=${Math.ceil(Date.now() / 1000)}`);
      assert.equal(past.status, 200);
      for (const path of ['/services', '/nodes', '/tasks', '/secrets', '/configs', '/swarm'])
        assert.match((await client.send<{ message: string }>('GET', path, 503)).message, /not a swarm manager/);
      await host.sh('docker rm -f listed');
    });

    test('lazydocker follows statistics and prunes', async () => {
      await host.docker('run', '-d', '--name', 'watched', '--network', 'back', 'nginx-web01');
      const client = new Client(host, '1.25');
      const containers = await client.get<{ Id: string; State: string }[]>('/containers/json?all=1');
      assert.deepEqual(
        containers.map(({ State }) => State),
        ['running'],
      );
      const id = containers[0]?.Id;
      const stats = client.stream<{ read: string; networks: Record<string, unknown> }>(
        `/containers/${id}/stats?stream=1`,
      );
      await until(() => stats.values.length >= 2, 'two samples');
      stats.close();
      assert.ok(stats.values[1]?.networks['eth0']);
      assert.ok((await client.get<unknown[]>('/images/nginx-web01/history')).length > 0);
      const logs = await call(host, 'GET', `/v1.25/containers/${id}/logs?stdout=1&stderr=1&timestamps=1&tail=10`);
      assert.equal(logs.status, 200);
      await client.send('POST', `/containers/${id}/stop?t=0`, 204);
      const pruned = await client.send<{ ContainersDeleted: string[] }>('POST', '/containers/prune', 200);
      assert.deepEqual(pruned.ContainersDeleted, [id]);
      const networks = await client.send<{ NetworksDeleted: string[] }>('POST', '/networks/prune', 200);
      assert.deepEqual([...networks.NetworksDeleted].sort(), ['back', 'front']);
      // Before API 1.42, volumes with names count as unused, too.
      const volumes = await client.send<{ VolumesDeleted: string[] }>('POST', '/volumes/prune', 200);
      assert.deepEqual(volumes.VolumesDeleted, ['data']);
      await client.send('POST', `/images/prune?${filters({ dangling: ['true'] })}`, 200);
    });
  });
