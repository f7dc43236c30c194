/** Metrics for Prometheus: values follow what containers do, and names and labels are dockerd's. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { parseScrape, type ScrapedFamily } from '@netyard/testkit';
import { cannotRun } from './support/engines.ts';
import { openHost, type TestHost, until } from './support/host.ts';

const address = '127.0.0.1:9323';
const dashboard = join(import.meta.dirname, '../examples/grafana-dashboard.json');

type Scrape = Map<string, ScrapedFamily>;
type Labels = Record<string, string>;

/** A new reading: one is served for half a second. */
async function scrape(host: TestHost): Promise<Scrape> {
  await pause(550);
  const text = await host.sh(`curl -sf http://${address}/metrics`);
  // dockerd exports Go's own metrics as well, of which some are summaries.
  return parseScrape(host.engine === 'netyard' ? text : text.replace(/^(?!(?:# \w+ )?engine_daemon_).*\n/gm, ''));
}

/** The value of the series that has these labels, undefined if there is none. */
function valueIn(families: Scrape, name: string, labels: Labels = {}): number | undefined {
  const family = families.get(name) ?? families.get(name.replace(/_(?:count|sum|bucket)$/, ''));
  return family?.series.find(
    (one) => one.name === name && Object.entries(labels).every(([key, value]) => one.labels[key] === value),
  )?.value;
}

const action = (name: string): Labels => ({ action: name });
const countOf = (families: Scrape, kind: string, name: string): number =>
  valueIn(families, `engine_daemon_${kind}_actions_seconds_count`, action(name)) ?? Number.NaN;

/** Names of the metrics in a PromQL expression: what is no function, keyword, label or number. Pure. */
function metricsIn(expression: string): string[] {
  const rest = expression
    .replace(/^label_values\((\w+), \w+\)$/, '$1')
    .replace(/\{[^}]*\}|\[[^\]]*\]|"[^"]*"/g, ' ')
    .replace(/\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, ' ')
    .replace(/\b[a-z_]+\s*(?=\()|\b(?:and|bool|or|unless)\b/g, ' ');
  return rest.match(/[a-zA-Z_:][\w:]*/g) ?? [];
}

/** Each `expr` and `query` of a dashboard. */
function expressionsIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) =>
    typeof item === 'string' ? (key === 'expr' || key === 'definition' ? [item] : []) : expressionsIn(item),
  );
}

describe('metrics', { skip: cannotRun('netyard') }, () => {
  let host: TestHost;
  before(async () => {
    host = await openHost('netyard', { images: ['netyard-test'], daemonOptions: [`--metrics-addr=${address}`] });
    await host.docker('network', 'create', '--subnet', '10.5.0.0/29', 'front');
  });
  after(() => host?.close());

  test('requests of containers and networks are counted once each, failed ones not', async () => {
    const start = await scrape(host);
    await host.docker('run', '-d', '--name', 'web', '--network', 'front', 'netyard-test', 'sleep', '1d');
    await host.tryDocker('run', '-d', '--name', 'web', 'netyard-test', 'sleep', '1d');
    await host.docker('network', 'connect', 'bridge', 'web');
    await host.docker('run', '--name', 'short', 'netyard-test', 'true');
    await host.docker('rm', 'short');
    const end = await scrape(host);
    const grown = (kind: string, name: string): number => countOf(end, kind, name) - countOf(start, kind, name);
    assert.deepEqual(
      ['create', 'start', 'delete', 'commit'].map((name) => grown('container', name)),
      [2, 2, 1, 0],
    );
    assert.deepEqual(
      ['allocate', 'connect', 'release', 'create'].map((name) => grown('network', name)),
      [2, 1, 1, 0],
    );
    assert.ok(
      (valueIn(end, 'netyard_apply_seconds_count') ?? 0) > (valueIn(start, 'netyard_apply_seconds_count') ?? 0),
    );
    assert.ok((valueIn(end, 'engine_daemon_events_total') ?? 0) > (valueIn(start, 'engine_daemon_events_total') ?? 0));
    assert.deepEqual(
      ['running', 'paused', 'stopped'].map((state) =>
        valueIn(end, 'engine_daemon_container_states_containers', { state }),
      ),
      [1, 0, 0],
    );
    const pool = { network: 'front', family: 'ipv4' };
    const addresses = (families: Scrape) =>
      ['used', 'free'].map((state) => valueIn(families, 'netyard_pool_addresses', { ...pool, state }) ?? 0);
    const [[before = 0, free = 0], now] = [addresses(start), addresses(end)];
    assert.deepEqual(now, [before + 1, free - 1]);
  });

  test('a ping grows the counters of the container’s interface, in both directions', async () => {
    await host.docker('run', '-d', '--name', 'db', '--network', 'front', 'netyard-test', 'sleep', '1d');
    const interfaceOf = { name: 'web', interface: 'eth0', image: 'netyard-test' };
    const start = await scrape(host);
    await host.docker('exec', 'db', 'ping', '-c', '5', '-i', '0.2', '-s', '1000', 'web');
    const end = await scrape(host);
    for (const direction of ['receive', 'transmit']) {
      const grown = (what: string): number =>
        (valueIn(end, `container_network_${direction}_${what}_total`, interfaceOf) ?? Number.NaN) -
        (valueIn(start, `container_network_${direction}_${what}_total`, interfaceOf) ?? Number.NaN);
      assert.ok(grown('bytes') >= 5 * 1042 && grown('bytes') < 7000, `${direction} ${grown('bytes')}`);
      assert.ok(grown('packets') >= 5 && grown('packets') < 20, `${direction} ${grown('packets')}`);
    }
    const answers = (families: Scrape): number =>
      valueIn(families, 'netyard_dns_queries_total', { rcode: 'NOERROR' }) ?? Number.NaN;
    assert.ok(answers(end) > answers(start), 'the name was looked up');
    // As the container itself counts.
    const own = (await host.docker('exec', 'web', 'cat', '/sys/class/net/eth0/statistics/rx_bytes')).trim();
    const exported = valueIn(await scrape(host), 'container_network_receive_bytes_total', interfaceOf) ?? 0;
    assert.ok(Math.abs(exported - Number(own)) < 2000, `${exported} of ${own}`);
  });

  test('CPU time, memory and start time are those of the container', async () => {
    const started = Date.parse(await host.docker('inspect', '-f', '{{.State.StartedAt}}', 'web')) / 1000;
    const start = await scrape(host);
    await host.docker('exec', 'web', 'sh', '-c', 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done');
    const end = await scrape(host);
    const of = (families: Scrape, name: string): number => valueIn(families, name, { name: 'web' }) ?? Number.NaN;
    const used = of(end, 'container_cpu_usage_seconds_total') - of(start, 'container_cpu_usage_seconds_total');
    assert.ok(used > 0.02 && used < 60, `${used} s`);
    assert.ok(of(end, 'container_memory_usage_bytes') > 0);
    assert.ok(of(end, 'container_memory_working_set_bytes') <= of(end, 'container_memory_usage_bytes'));
    assert.ok(Math.abs(of(end, 'container_start_time_seconds') - started) < 0.01);
    assert.ok(of(end, 'container_last_seen') >= Math.floor(started));
  });

  test('a link that was deleted by hand counts as repaired', async () => {
    const link = (await host.sh("ip -br link | grep -o '^ny-[0-9a-f]*' | head -n 1")).trim();
    await host.sh(`ip link delete ${link}`);
    await until(
      async () => (valueIn(await scrape(host), 'netyard_repairs_total', { kind: 'veth' }) ?? 0) > 0,
      'the repair is counted',
    );
    const families = await scrape(host);
    const names = families.get('container_network_receive_bytes_total')?.series.map(({ labels }) => labels['name']);
    assert.deepEqual(new Set(names), new Set(['web', 'db']), 'the new link is read');
  });

  test('health checks, peers and connection tracking', async () => {
    const check = ['--health-interval', '200ms', '--health-retries', '1000'];
    await host.docker('run', '-d', '--name', 'ill', '--health-cmd', 'false', ...check, 'netyard-test', 'sleep', '1d');
    await until(
      async () => (valueIn(await scrape(host), 'engine_daemon_health_checks_failed_total') ?? 0) > 1,
      'failed health checks are counted',
    );
    await host.docker('rm', '-f', 'ill');
    await host.netyard('peer', 'add', 'p1', '--address', '172.16.2.102', '--subnet', '192.168.50.0/24');
    const families = await scrape(host);
    assert.equal(valueIn(families, 'netyard_peer_up', { peer: 'p1', via: 'route' }), 1);
    assert.equal(valueIn(families, 'netyard_peer_packets_total', { peer: 'p1', direction: 'in' }), 0);
    assert.equal(
      valueIn(families, 'node_nf_conntrack_entries_limit'),
      Number(await host.sh('cat /proc/sys/net/netfilter/nf_conntrack_max')),
    );
    assert.ok((valueIn(families, 'node_nf_conntrack_entries') ?? -1) >= 0);
  });

  test('no label has an address or a port, except those that users put into names', async () => {
    for (const { series } of (await scrape(host)).values())
      for (const { name, labels } of series)
        for (const [label, value] of Object.entries(labels))
          if (label !== 'le' && !name.startsWith('engine_daemon_engine_info'))
            assert.doesNotMatch(value, /\d+\.\d+\.\d+|^\d+$|:\d/, `${name} ${label}`);
  });

  test('every metric of the Grafana dashboard exists', async () => {
    const expressions = expressionsIn(JSON.parse(readFileSync(dashboard, 'utf8')));
    const used = new Set(expressions.flatMap(metricsIn));
    const exported = [...(await scrape(host)).values()].flatMap(({ series }) => series.map(({ name }) => name));
    assert.ok(used.size > 15, `${used.size} metrics`);
    assert.deepEqual(
      [...used].filter((name) => !exported.includes(name)),
      [],
    );
  });

  test('the series of a removed container end at once', async () => {
    await host.docker('rm', '-f', 'web');
    const left = [...(await scrape(host)).values()].flatMap(({ series }) =>
      series.filter(({ labels }) => labels['name'] === 'web'),
    );
    assert.deepEqual(left, []);
  });

  test('dockerd’s series have the same names, types and labels', { skip: cannotRun('dockerd') }, async () => {
    const dockerd = await openHost('dockerd', {
      images: ['netyard-test'],
      daemonOptions: [`--metrics-addr=${address}`],
    });
    try {
      await dockerd.docker('run', '--name', 'c1', 'netyard-test', 'true');
      const [theirs, ours] = [await scrape(dockerd), await scrape(host)];
      const shapes = (families: Scrape): Map<string, string> =>
        new Map(
          [...families]
            .filter(([name]) => name.startsWith('engine_daemon_'))
            .map(([name, { type, series }]) => [name, `${type} ${Object.keys(series[0]?.labels ?? {}).sort()}`]),
        );
      const [expected, actual] = [shapes(theirs), shapes(ours)];
      expected.delete('engine_daemon_host_info_functions_seconds'); // of dockerd's own functions
      for (const [name, shape] of expected) assert.equal(actual.get(name), shape, name);
      const actions = (families: Scrape) =>
        families.get('engine_daemon_container_actions_seconds')?.series.flatMap(({ labels }) => labels['action'] ?? []);
      assert.deepEqual(new Set(actions(ours)), new Set(actions(theirs)));
    } finally {
      await dockerd.close();
    }
  });
});
