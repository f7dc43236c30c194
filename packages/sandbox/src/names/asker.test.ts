import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndpointState, SandboxConfig, SandboxState } from '../contract.ts';
import { askerOf, endpointNames } from './asker.ts';

const endpoint = (networkName: string, dnsNames: string[], gatewayPriority?: number): EndpointState => ({
  ...{ id: networkName, networkId: `id-${networkName}`, networkName, link: 'eth0', hostLink: '', mac: '', aliases: [] },
  addresses: { v4: { address: '10.0.0.2', prefixLength: 24 } },
  dnsNames,
  config: { network: networkName, ...(gatewayPriority === undefined ? {} : { gatewayPriority }) },
});

const state = (...endpoints: EndpointState[]): SandboxState => ({
  ...{ id: 's', files: { hosts: '', hostname: '', resolvConf: '' }, ports: [] },
  endpoints,
});

const config = { mode: { kind: 'network', ref: 'b' }, links: ['db:Store'] } as unknown as SandboxConfig;

test('networks are searched by gateway priority, internal ones last, then by name; the default bridge is not', () => {
  const one = state(
    endpoint('c', ['x']),
    endpoint('bridge', []),
    endpoint('b', ['x']),
    endpoint('a', ['x']),
    endpoint('z', ['x'], 5),
  );
  const { networks, project } = askerOf(config, one, { project: 'p', isInternal: (id) => id === 'id-a' });
  assert.deepEqual(
    networks.map(({ name }) => name),
    ['z', 'b', 'c', 'a'],
  );
  assert.equal(project, 'p');
  assert.deepEqual([...(networks[1]?.aliases ?? [])], [['store', 'db']]);
  assert.deepEqual(
    endpointNames('c1', one).map(({ network, names, addresses }) => [network, names, addresses]),
    ['c', 'b', 'a', 'z'].map((name) => [`id-${name}`, ['x'], ['10.0.0.2']]),
  );
  assert.deepEqual(endpointNames('c1', undefined), []);
});

test('networks with both families are searched before those with one', () => {
  const both = endpoint('b', ['x']);
  const dual = { ...both, addresses: { ...both.addresses, v6: { address: 'fd00::2', prefixLength: 64 } } };
  const only = { ...endpoint('c', ['x']), addresses: { v6: { address: 'fd00:1::2', prefixLength: 64 } } };
  const one = state(endpoint('a', ['x']), only, dual);
  const { networks } = askerOf(config, one, { project: undefined, isInternal: () => false });
  assert.deepEqual(
    networks.map(({ name }) => name),
    ['b', 'a', 'c'],
  );
  const found = endpointNames('c1', one).find(({ network }) => network === 'id-b');
  assert.deepEqual(found?.addresses, ['10.0.0.2', 'fd00::2']);
});

test("links of the container belong to its mode's network, by name or id, others to their endpoint", () => {
  const aliases = (mode: SandboxConfig['mode'], links: string[] = []): unknown[] => {
    const linked = { ...endpoint('b', ['x']), config: { network: 'b', links } };
    const { networks } = askerOf({ ...config, mode }, state(linked, endpoint('c', ['x'])), {
      project: undefined,
      isInternal: () => false,
    });
    return networks.map((network) => [...network.aliases]);
  };
  const [store, cache] = [
    ['store', 'db'],
    ['cache', 'cache'],
  ];
  assert.deepEqual(aliases({ kind: 'network', ref: 'b' }, ['cache']), [[store, cache], []]);
  assert.deepEqual(aliases({ kind: 'network', ref: 'id-b' }), [[store], []]);
  assert.deepEqual(aliases({ kind: 'network', ref: 'c' }, ['cache']), [[cache], [store]]);
  assert.deepEqual(aliases({ kind: 'default' }), [[], []]);
});
