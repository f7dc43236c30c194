/** What a user names, found on a host with containers of two engines. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import type { HostContainer, NamespaceLink } from './model.ts';
import { findTarget, findTargets, qualifiedName, type SearchedHost } from './targets.ts';

const container = (
  engine: HostContainer['engine'],
  name: string,
  id: string,
  namespaceId?: string,
  address?: string,
): HostContainer => ({
  ...{ engine, name, id, state: 'running', ports: [], exposed: [], links: [], paused: false },
  attachments: address === undefined ? [] : [{ network: 'n', addresses: [address], aliases: [] }],
  ...(namespaceId === undefined ? {} : { namespaceId }),
});
const link = (name: string, ...addresses: string[]): NamespaceLink => ({
  ...{ index: 1, name, mtu: 1500, up: true, running: true, rpFilter: 0, addresses },
});
const namespace = (id: string, name: string, links: NamespaceLink[]) => ({
  ...{ id, name, links, path: `/run/netns/${name}`, isHost: name === 'host', processes: [] },
});
const host: SearchedHost = {
  containers: [
    container('docker', 'web', 'ab12', '2', '10.1.0.2/24'),
    container('podman', 'web', 'ab34', '3'),
    container('docker', 'beside', 'cd56', '2'),
    container('docker', 'stopped', 'ef78', undefined, '10.1.0.9/24'),
  ],
  namespaces: [
    namespace('1', 'host', [link('lo', '127.0.0.1/8'), link('br0', '10.1.0.1/24')]),
    namespace('2', 'web, beside', [link('lo', '127.0.0.1/8'), link('eth0', '10.1.0.2/24', 'fd00::2/64')]),
    namespace('3', 'web', [link('eth0', '10.2.0.2/24')]),
  ],
};
const found = (text: string): string[] => findTargets(host, text).map((target) => qualifiedName(host, target));

test('names, ids, namespaces and addresses', () => {
  assert.deepEqual(found('web'), ['docker/web', 'podman/web']);
  assert.deepEqual(found('docker/web'), ['docker/web']);
  assert.deepEqual(found('ab34'), ['podman/web']);
  assert.deepEqual(found('cd'), ['docker/beside']);
  assert.deepEqual(found('host'), ['host']);
  assert.deepEqual(found('net:[3]'), ['podman/web']);
  assert.deepEqual(found('/run/netns/web'), ['podman/web']);
  assert.deepEqual(found('10.1.0.1'), ['host']);
  assert.deepEqual(found('10.1.0.2'), ['web, beside'], 'a shared namespace is reported once');
  assert.deepEqual(found('fd00:0::2'), ['web, beside']);
  assert.deepEqual(found('10.1.0.9'), ['docker/stopped']);
  assert.deepEqual(found('127.0.0.1'), []);
  assert.equal(findTargets(host, '10.2.0.2')[0]?.address, '10.2.0.2');
});

test('a survey knows the addresses that engines report', () => {
  const survey = { ...host, namespaces: host.namespaces.map(({ links: _links, ...entry }) => entry) };
  assert.deepEqual(findTargets(survey, '10.1.0.2')[0]?.container?.name, 'web');
});

test('an ambiguous name is an error that names the candidates', () => {
  assert.throws(
    () => findTarget(host, 'web'),
    (error) => isNetyardError(error, 'conflict') && error.message === 'web is ambiguous: docker/web, podman/web',
  );
  assert.throws(
    () => findTarget(host, 'missing'),
    (error) => isNetyardError(error, 'not-found'),
  );
});
