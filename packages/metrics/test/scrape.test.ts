/** Scrapes of fake sources: shared readings, slow and broken containers, and what the listener answers. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { silentLogger, systemClock } from '@netyard/core';
import type { LinkStatistics, ObservedLink } from '@netyard/kernel';
import { parseScrape, type ScrapedFamily } from '@netyard/testkit';
import {
  Activity,
  createMetricsServer,
  type ListedContainer,
  type MetricsSources,
  Scraper,
  type TaskUsage,
} from '../src/index.ts';

const usage: TaskUsage = { memoryUsage: 5000, memoryStats: { inactive_file: 1000 }, cpuTotal: 2_500_000_000 };

const statistics = (base: bigint): LinkStatistics => ({
  ...{ rxBytes: base, rxPackets: base + 1n, rxErrors: base + 2n, rxDropped: base + 3n },
  ...{ txBytes: base + 4n, txPackets: base + 5n, txErrors: base + 6n, txDropped: base + 7n },
});

const second = 1_000_000_000n;

function container(name: string, hostLink: string): ListedContainer {
  const rest = { aliases: [], dnsNames: [], addresses: {}, mac: '', config: { network: 'net-1' } };
  const endpoint = { ...{ id: '', networkId: '', networkName: 'net-1', link: 'eth0', hostLink }, ...rest };
  const files = { hosts: '', hostname: '', resolvConf: '' };
  return {
    record: {
      ...{ id: `id-${name}`, name },
      config: { image: 'image-1', cgroupParent: '' },
      state: { status: 'running', startedAt: 7n * second },
    },
    network: { id: name, netnsPath: `/run/netns/${name}`, files, endpoints: [endpoint], ports: [] },
  };
}

interface Fake {
  sources: MetricsSources;
  containers: ListedContainer[];
  links: Map<string, number>;
  /** Names of the calls, in order. */
  calls: string[];
  warnings: string[];
}

function fakeSources(change: Partial<MetricsSources> = {}): Fake {
  const containers = [container('web', 'ny-web'), container('db', 'ny-db')];
  const links = new Map([
    ['ny-web', 10],
    ['ny-db', 20],
  ]);
  const calls: string[] = [];
  const warnings: string[] = [];
  const asLink = ([name, index]: [string, number]): ObservedLink => ({
    name,
    index,
    mtu: 1500,
    up: true,
    running: true,
  });
  const sources: MetricsSources = {
    activity: new Activity(),
    listContainers: async () => containers,
    engineCounters: () => ({ events: 5, eventSubscribers: 1, healthChecks: 3, failedHealthChecks: 2 }),
    networks: { list: () => [], subnetUse: () => [], peers: async () => [] },
    kernel: {
      async listLinks() {
        calls.push('links');
        return [...links].map(asLink);
      },
      async listLinkStatistics() {
        calls.push('statistics');
        return new Map([...links.values()].map((index) => [index, statistics(BigInt(index * 100))]));
      },
      linkStatistics: async (link, ns) => {
        calls.push(`${link} in ${ns}`);
        return statistics(1n);
      },
      readSysctl: async (key) => (key.endsWith('max') ? '262144' : '17'),
    },
    readUsage: async () => usage,
    facts: {
      ...{ version: '1', commit: '', architecture: 'amd64', graphDriver: 'overlay2', kernel: '6', os: 'Debian' },
      ...{ osVersion: '12', daemonId: 'id-1', cpus: 2, memoryBytes: 4096 },
    },
    cgroupParent: '/netyard',
    clock: systemClock,
    logger: { ...silentLogger, warn: (_message, fields) => void warnings.push(JSON.stringify(fields)) },
    ...change,
  };
  return { sources, containers, links, calls, warnings };
}

const values = (families: Map<string, ScrapedFamily>, name: string): Record<string, number> =>
  Object.fromEntries((families.get(name)?.series ?? []).map(({ labels, value }) => [labels['name'] ?? '', value]));

/** Longer than a reading is served. */
const untilStale = (): Promise<void> => pause(550);

test('counters of the host’s ends are those of the containers, mirrored; links are listed when one is new', async () => {
  const { sources, containers, links, calls } = fakeSources();
  const scraper = new Scraper(sources);
  const families = parseScrape(await scraper.scrape());
  assert.deepEqual(values(families, 'container_network_receive_bytes_total'), { web: 1004, db: 2004 });
  assert.deepEqual(values(families, 'container_network_transmit_packets_dropped_total'), { web: 1003, db: 2003 });
  assert.deepEqual(families.get('container_network_transmit_bytes_total')?.series[0]?.labels, {
    ...{ id: '/netyard/id-web', image: 'image-1', interface: 'eth0', name: 'web' },
  });
  assert.deepEqual(values(families, 'container_cpu_usage_seconds_total'), { web: 2.5, db: 2.5 });
  assert.deepEqual(values(families, 'container_memory_working_set_bytes'), { web: 4000, db: 4000 });
  assert.deepEqual(values(families, 'container_start_time_seconds'), { web: 7, db: 7 });
  assert.deepEqual(families.get('node_nf_conntrack_entries_limit')?.series[0]?.value, 262144);
  assert.deepEqual(families.get('engine_daemon_health_checks_failed_total')?.series[0]?.value, 2);

  await untilStale();
  await scraper.scrape();
  assert.deepEqual(calls, ['statistics', 'links', 'statistics'], 'known links are not listed again');
  links.set('ny-web', 11); // created again
  containers.pop();
  await untilStale();
  const later = parseScrape(await scraper.scrape());
  assert.deepEqual(values(later, 'container_network_receive_bytes_total'), { web: 1104 });
  assert.deepEqual(values(later, 'container_last_seen').db, undefined);
  assert.deepEqual(calls.slice(3), ['statistics', 'links']);
});

test('an interface without an end on the host is read in its namespace', async () => {
  const { sources, containers, calls } = fakeSources();
  containers.splice(0, 2, container('mac', ''));
  const families = parseScrape(await new Scraper(sources).scrape());
  assert.deepEqual(values(families, 'container_network_receive_bytes_total'), { mac: 1 });
  assert.deepEqual(calls, ['statistics', 'eth0 in /run/netns/mac']);
});

test('concurrent scrapes share one reading', async () => {
  const { sources, calls } = fakeSources();
  const scraper = new Scraper(sources);
  const texts = await Promise.all(Array.from({ length: 20 }, () => scraper.scrape()));
  assert.equal(new Set(texts).size, 1);
  assert.equal(calls.filter((call) => call === 'statistics').length, 1);
});

test('a container that does not answer or fails is left out; the others are read, and it is not asked again', async () => {
  let asked = 0;
  const readUsage = async (cgroup: string): Promise<TaskUsage> => {
    if (cgroup !== '/netyard/id-web') return usage;
    asked += 1;
    return await new Promise<TaskUsage>(() => {});
  };
  const scraper = new Scraper(fakeSources({ readUsage }).sources);
  for (let scrape = 1; scrape <= 2; scrape += 1) {
    const families = parseScrape(await scraper.scrape());
    assert.deepEqual(values(families, 'container_memory_usage_bytes'), { db: 5000 });
    assert.deepEqual(Object.keys(values(families, 'container_network_receive_bytes_total')), ['web', 'db']);
    await untilStale();
  }
  assert.equal(asked, 1);
});

test('a part that fails is left out and logged once', async () => {
  const { sources, warnings } = fakeSources();
  const networks = {
    ...sources.networks,
    peers: async () => {
      throw new Error('no peers');
    },
  };
  const scraper = new Scraper({ ...sources, networks });
  for (let scrape = 1; scrape <= 2; scrape += 1) {
    const families = parseScrape(await scraper.scrape());
    assert.ok(families.has('container_last_seen'));
    assert.ok(!families.has('netyard_peer_up'));
    await untilStale();
  }
  assert.deepEqual(warnings, ['{"part":"peers","error":"no peers"}']);
});

test('the listener answers GET /metrics only', async (t) => {
  const server = createMetricsServer({ scrape: async () => 'x 1\n', names: ['Host1'], logger: silentLogger });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const found = await fetch(`${base}/metrics?x=1`);
  assert.deepEqual([found.status, await found.text()], [200, 'x 1\n']);
  assert.equal(found.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  assert.equal((await fetch(`${base}/metrics`, { method: 'HEAD' })).status, 200);
  for (const path of ['/', '/metrics/', '/containers/json']) assert.equal((await fetch(`${base}${path}`)).status, 404);
  for (const method of ['POST', 'PUT', 'DELETE']) {
    const answer = await fetch(`${base}/metrics`, { method });
    assert.deepEqual([answer.status, answer.headers.get('allow')], [405, 'GET, HEAD']);
  }
  const named = async (Host: string): Promise<number | undefined> => {
    const sent = request(`${base}/metrics`, { headers: { Host }, agent: false }).end();
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    answer.resume();
    return answer.statusCode;
  };
  for (const host of ['127.0.0.1:9323', '[::1]:9323', 'localhost', 'host1:9323', '10.0.0.1'])
    assert.equal(await named(host), 200, host);
  for (const host of ['rebind.example:9323', 'localhost.example', '1.2.3.4.example', 'host2'])
    assert.equal(await named(host), 403, host);
  const long = await fetch(`${base}/metrics`, { headers: { 'x-long': 'x'.repeat(20_000) } });
  assert.equal(long.status, 431);
});
