/** Engines' reports joined with namespaces: places, shared namespaces, repeated reports, names, bridges. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EngineContainer, EngineReport } from './engines/report.ts';
import type { HostNamespace, HostNetwork } from './model.ts';
import { joinNamespaces, pinnedName, staleText } from './namespaces.ts';
import { parseStat } from './processes.ts';
import { findBridges, joinSurvey } from './survey.ts';

const container = (id: string, more: Partial<EngineContainer>): EngineContainer => ({
  ...{ engine: 'docker', id, name: `name-${id}`, state: 'running', attachments: [], ports: [], exposed: [] },
  ...{ links: [], paused: false, ...more },
});
const report = (kind: EngineReport['engine']['kind'], ...containers: EngineContainer[]): EngineReport => ({
  ...{ engine: { kind, source: `/run/${kind}` }, containers, networks: [] },
});
const namespaces = joinNamespaces(
  { id: '1', path: '/proc/1/ns/net' },
  new Map([
    ['2', ['/run/docker/netns/2', '/run/netns/two']],
    ['4', ['/run/netns/bare']],
  ]),
  [
    { pid: 1, name: 'init', namespaceId: '1' },
    { pid: 20, name: 'web', namespaceId: '2' },
    { pid: 30, name: 'sleep', namespaceId: '3' },
  ],
);

test('namespaces of the host, of pins and of processes alone', () => {
  assert.deepEqual(
    namespaces.map(({ id, path, isHost }) => [id, path, isHost]),
    [
      ['1', '/proc/1/ns/net', true],
      ['2', '/run/docker/netns/2', false],
      ['4', '/run/netns/bare', false],
      ['3', '/proc/30/ns/net', false],
    ],
  );
});

test('containers are placed by pin or process, once, and the other namespaces are listed', () => {
  const survey = joinSurvey({
    namespaces,
    reports: [
      report(
        'docker',
        container('a', { pid: 999, sandboxPath: '/var/run/docker/netns/2' }),
        container('b', { pid: 20, networkMode: 'container:a' }),
        container('c', { pid: 1, networkMode: 'host' }),
        container('d', { state: 'exited', sandboxPath: '/run/docker/netns/2' }),
      ),
      report('docker', container('a', { pid: 999 })),
      report('containerd', container('a', { engine: 'containerd', pid: 999 })),
      report('podman'),
    ],
  });
  assert.deepEqual(
    survey.containers.map(({ engine, name, namespaceId, networkMode }) => [engine, name, namespaceId, networkMode]),
    [
      ['docker', 'name-a', '2', undefined],
      ['docker', 'name-b', '2', 'container:name-a'],
      ['docker', 'name-c', '1', 'host'],
      ['docker', 'name-d', undefined, undefined],
      ['namespace', 'bare', '4', undefined],
      ['namespace', 'net:[3]', '3', undefined],
    ],
  );
  assert.deepEqual(
    survey.namespaces.map(({ name }) => name),
    ['host', 'name-a, name-b', 'bare', 'net:[3]'],
  );
  assert.deepEqual(
    survey.engines.map(({ kind }) => kind),
    ['docker', 'podman'],
  );
});

test('the bridge of a network is the one with an address of its subnet, which is its gateway', () => {
  const link = (name: string, kind: string, ...addresses: string[]) => ({
    ...{ index: 1, name, kind, mtu: 1500, up: true, running: true, rpFilter: 0, addresses },
  });
  const host = { links: [link('podman1', 'bridge', '10.66.0.1/24'), link('eth0', 'veth', '10.67.0.1/24')] };
  const network = (subnet: string, more: Partial<HostNetwork> = {}): HostNetwork => ({
    ...{ engine: 'podman', id: 'x', name: 'x', driver: 'bridge', subnets: [{ subnet }], internal: false, icc: true },
    ...{ options: {}, ...more },
  });
  const found = findBridges(
    [network('10.66.0.0/24'), network('10.67.0.0/24', { link: 'br-gone' }), network('10.67.0.0/24', { link: 'eth0' })],
    host as unknown as HostNamespace,
  );
  assert.deepEqual(
    found.map((each) => [each.link, each.subnets[0]?.gateway]),
    [
      ['podman1', '10.66.0.1'],
      [undefined, undefined],
      ['eth0', undefined],
    ],
  );
});

test('names: ip netns before other pins; processes with any name; few stale entries', () => {
  assert.equal(pinnedName(['/run/docker/netns/2', '/run/netns/two']), 'two');
  assert.equal(pinnedName([]), undefined);
  assert.deepEqual(parseStat('7 (a) R 1 (b) S 42 7 7 0'), { name: 'a) R 1 (b', parent: 42 });
  assert.equal(parseStat('rubbish'), undefined);
  assert.match(staleText('/run/netns', ['a']), /^\/run\/netns has an entry that is no namespace here.*: a$/);
  assert.match(staleText('/run/netns', [...'abcdefg']), /has entries that are no .*: a, b, c, d, e, 2 more$/);
});
