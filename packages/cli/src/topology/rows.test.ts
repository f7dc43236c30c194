/** Rows of `netyard topology`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HostContainer, HostTopology } from '@netyard/topology';
import { engineProblem, topologyRows } from './rows.ts';

const container = (name: string, more: Partial<HostContainer>): HostContainer => ({
  ...{ engine: 'docker', id: 'c045c82e85bd0123', name, state: 'running', attachments: [], ports: [], exposed: [] },
  ...{ links: [], paused: false, ...more },
});
const attachment = (network: string, ...addresses: string[]) => ({ network, addresses, aliases: [] });
const link = (name: string, ...addresses: string[]) => ({
  ...{ index: 1, name, mtu: 1500, up: true, running: true, rpFilter: 0, addresses },
});

test('one row per container, sorted by engine and name, bare namespaces last', () => {
  const host = {
    hostName: 'server1',
    containers: [
      container('bare', { engine: 'namespace', namespaceId: '4' }),
      container('web', {
        attachments: [attachment('front', '10.1.0.2/24', 'fd00::2/64'), attachment('back', '10.2.0.2/24')],
        ports: [{ protocol: 'tcp', hostAddress: '::', hostPort: 8080, containerPort: 80 }],
      }),
      container('job', { state: 'exited', exitCode: 137, networkMode: 'bridge' }),
      container('agent', { engine: 'podman', networkMode: 'host', namespaceId: '1' }),
    ],
    namespaces: [
      { id: '1', isHost: true, links: [link('eth0', '192.0.2.1/24')] },
      { id: '4', isHost: false, links: [link('lo', '127.0.0.1/8'), link('eth0', '10.9.0.2/24', 'fe80::1/64')] },
    ],
  } as unknown as HostTopology;
  const shown = topologyRows(host).map((row) =>
    ['Engine', 'Name', 'State', 'Network', 'Addresses', 'Ports'].map((column) => row[column]),
  );
  assert.deepEqual(shown, [
    ['docker', 'job', 'exited (137)', 'bridge', '', ''],
    ['docker', 'web', 'running', 'front, back', '10.1.0.2, fd00::2, 10.2.0.2', '[::]:8080->80/tcp'],
    ['podman', 'agent', 'running', 'host', '', ''],
    ['-', 'bare', 'running', '', '10.9.0.2', ''],
  ]);
});

test('the engine of a user says whose it is', () => {
  const containers = [container('a', { owner: 1000 }), container('b', { owner: 'several users' }), container('c', {})];
  const host = { hostName: 'server1', namespaces: [], containers } as unknown as HostTopology;
  const engines = topologyRows(host).map((row) => row['Engine']);
  assert.deepEqual(engines, ['docker (user 1000)', 'docker (several users)', 'docker']);
});

test('the problem of an engine names its socket', () => {
  const engine = { kind: 'docker', source: '/run/docker.sock' } as const;
  assert.equal(engineProblem(engine), undefined);
  assert.equal(
    engineProblem({ ...engine, problem: 'permission denied' }),
    'docker (/run/docker.sock): permission denied',
  );
});

test('names with line feeds and tabs stay in their row', () => {
  const host = {
    ...{ hostName: 'server1', namespaces: [] },
    containers: [container('web\nbroken\tx', { attachments: [attachment('a\nb', '10.1.0.2/24')] })],
  } as unknown as HostTopology;
  assert.deepEqual(
    [topologyRows(host)[0]?.['Name'], topologyRows(host)[0]?.['Network']],
    ['web\\nbroken\\tx', 'a\\nb'],
  );
});
