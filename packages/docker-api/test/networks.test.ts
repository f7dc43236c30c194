/** The routes of networks: checks of a create request, and the shapes of answers. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { NetyardError } from '@netyard/core';
import type { NetworkService } from '@netyard/engine';
import type { CreateNetworkRequest, NetworkRecord } from '@netyard/network';
import { translateContainerInspect } from '../src/translate/container-inspect.ts';
import { translateEndpointRequest } from '../src/translate/network.ts';
import { type Answer, serve } from './client.ts';
import { details, someConfig, someRecord, someTime } from './fake-engine.ts';

const record: NetworkRecord = {
  id: 'a'.repeat(64),
  name: 'back',
  driver: 'bridge',
  created: someTime,
  ipam: { driver: 'default', v4: [{ subnet: '10.5.0.0/16', gateway: '10.5.0.1', range: '10.5.1.0/24' }] },
  internal: true,
  attachable: false,
  options: { a: 'b' },
  labels: { c: 'd' },
  predefined: false,
};

/** Serves a daemon that has the network `back` and creates any other. */
async function open(t: TestContext, version = '1.51') {
  const created: CreateNetworkRequest[] = [];
  const server = await serve(
    t,
    {},
    {
      list: () => [record],
      async create(request) {
        created.push(request);
        return { id: 'new', warnings: [] };
      },
    },
  );
  const send = (body: unknown): Promise<Answer> =>
    server.send('POST', `/v${version}/networks/create`, { body: body as object });
  return {
    send,
    /** What the network package was asked to create. */
    async create(body: object): Promise<CreateNetworkRequest | undefined> {
      const answer = await send(body);
      assert.equal(answer.status, 201, answer.body);
      assert.deepEqual(JSON.parse(answer.body), { Id: 'new', Warning: '' });
      return created.pop();
    },
    async rejects(body: object, status: number, message: string): Promise<void> {
      const answer = await send(body);
      assert.deepEqual([JSON.parse(answer.body).message, answer.status], [message, status]);
      assert.deepEqual(created, []);
    },
  };
}

test('a create request of the docker CLI becomes a request of the network package', async (t) => {
  const { create } = await open(t);
  // docker network create -o … --subnet … --gateway … --aux-address … --internal --label e=f front, CLI 28.2
  const request = await create({
    Name: 'front',
    Driver: 'bridge',
    Scope: '',
    IPAM: {
      Driver: 'default',
      Options: { g: 'h' },
      Config: [
        {
          Subnet: '10.6.0.0/16',
          IPRange: '10.6.1.0/24',
          Gateway: '10.6.0.9',
          AuxiliaryAddresses: { router: '10.6.0.2' },
        },
      ],
    },
    Internal: true,
    Attachable: false,
    Ingress: false,
    ConfigOnly: false,
    ConfigFrom: null,
    Options: { 'com.docker.network.bridge.name': 'front0' },
    Labels: { e: 'f' },
  });
  assert.deepEqual(request, {
    name: 'front',
    driver: 'bridge',
    ipam: {
      driver: 'default',
      options: { g: 'h' },
      v4: [{ subnet: '10.6.0.0/16', gateway: '10.6.0.9', range: '10.6.1.0/24', auxAddresses: { router: '10.6.0.2' } }],
    },
    internal: true,
    attachable: false,
    options: { 'com.docker.network.bridge.name': 'front0' },
    labels: { e: 'f' },
  });
});

test('a name is enough, CheckDuplicate is ignored', async (t) => {
  const { create } = await open(t, '1.24');
  const request = await create({ Name: 'a/b c', CheckDuplicate: true, EnableIPv6: false });
  assert.deepEqual([request?.name, request?.driver, request?.ipam], ['a/b c', 'bridge', { driver: 'default', v4: [] }]);
});

test('families: fields take precedence over options, EnableIPv4 counts since API 1.48', async (t) => {
  const families = async (version: string, body: object): Promise<string[]> => {
    const request = await (await open(t, version)).create({ Name: 'x', ...body });
    return Object.keys(request?.ipam ?? {}).filter((key) => key !== 'driver');
  };
  const option = (v4: string, v6: string) => ({
    Options: { 'com.docker.network.enable_ipv4': v4, 'com.docker.network.enable_ipv6': v6 },
  });
  assert.deepEqual(await families('1.48', { EnableIPv4: false, EnableIPv6: true }), ['v6']);
  assert.deepEqual(await families('1.47', { EnableIPv4: false, EnableIPv6: true }), ['v4', 'v6']);
  assert.deepEqual(await families('1.51', option('F', '1')), ['v6']);
  assert.deepEqual(await families('1.51', { ...option('F', '1'), EnableIPv4: true, EnableIPv6: false }), ['v4']);
  const { rejects } = await open(t);
  await rejects(
    { Name: 'x', ...option('1', 'yes') },
    400,
    'driver-opt "com.docker.network.enable_ipv6" is not a valid bool',
  );
});

test('all problems of the subnets are reported at once, those of IPv6 only where it is enabled', async (t) => {
  const { rejects, create } = await open(t);
  const v6 = { Subnet: 'fd00::1/64', Gateway: 'fd01::1' };
  const body = {
    Name: 'x',
    EnableIPv6: true,
    IPAM: {
      Config: [
        { Subnet: '10.6.0.1/16', IPRange: '10.6.0.1/8', Gateway: '10.7.0.1' },
        { Subnet: '10.8.0.0/16', IPRange: '10.9.0.0/24', Gateway: 'fd00::1', AuxiliaryAddresses: { a: '10.9.0.1' } },
        { Subnet: '10.8.0.0', IPRange: 'x' },
        { Subnet: '10.8.0.0/16', IPRange: 'fd00::/64', Gateway: 'y' },
        v6,
      ],
    },
  };
  await rejects(
    body,
    400,
    [
      'invalid subnet 10.6.0.1/16: it should be 10.6.0.0/16',
      'invalid ip-range 10.6.0.1/8: CIDR block is bigger than its parent subnet 10.6.0.1/16',
      'invalid ip-range 10.6.0.1/8: it should be 10.0.0.0/8',
      "invalid gateway 10.7.0.1: parent subnet 10.6.0.1/16 doesn't contain this address",
      "invalid ip-range 10.9.0.0/24: parent subnet 10.8.0.0/16 doesn't contain ip-range",
      'invalid gateway fd00::1: parent subnet is an IPv4 block',
      "invalid auxiliary address a: parent subnet 10.8.0.0/16 doesn't contain this address",
      'invalid subnet 10.8.0.0: invalid CIDR block notation',
      'invalid ip-range fd00::/64: parent subnet is an IPv4 block',
      'invalid gateway y: invalid address',
      'invalid subnet fd00::1/64: it should be fd00::/64',
      "invalid gateway fd01::1: parent subnet fd00::1/64 doesn't contain this address",
    ].reduce((text, problem) => `${text}\n* ${problem}`, 'invalid network config:'),
  );
  assert.deepEqual((await create({ Name: 'x', IPAM: { Config: [v6] } }))?.ipam, {
    driver: 'default',
    options: {},
    v4: [],
  });
});

test('requests are checked in Docker’s order', async (t) => {
  const { rejects, send } = await open(t);
  const badIpam = { IPAM: { Config: [{ Subnet: 'x' }] } };
  const badOption = { Options: { 'com.docker.network.enable_ipv4': 'x' } };
  const invalidSubnet = 'invalid network config:\ninvalid subnet x: invalid CIDR block notation';
  const notBool = 'driver-opt "com.docker.network.enable_ipv4" is not a valid bool';
  assert.equal((await send('{"Name":')).status, 400);
  assert.match((await send({ Name: 1 })).body, /invalid JSON: json: cannot unmarshal number into Go struct field/);
  for (const name of ['bridge', 'host', 'none', 'default'])
    await rejects({ Name: name, ...badOption }, 403, `operation is not permitted on predefined ${name} network `);
  await rejects({ Name: '', ...badIpam, ...badOption }, 400, notBool);
  await rejects({ Name: '', ...badIpam }, 400, invalidSubnet);
  await rejects({ Name: '', ConfigOnly: true, Scope: 'swarm' }, 400, 'invalid name: name is empty');
  await rejects({ Name: 'back', ConfigOnly: true, Internal: true }, 409, 'network with name back already exists');
});

test('configuration-only networks and other scopes are rejected with Docker’s messages', async (t) => {
  const { rejects } = await open(t);
  const operatorFields =
    'configuration network can only contain network specific fields. Network operator fields like [ ingress | internal | attachable | scope ] are not supported.';
  for (const more of [{ Internal: true }, { Attachable: true }, { Ingress: true }, { Scope: 'local' }])
    await rejects({ Name: 'x', ConfigOnly: true, ...more }, 403, operatorFields);
  const ConfigFrom = { Network: 'y' };
  await rejects(
    { Name: 'x', ConfigOnly: true, ConfigFrom },
    403,
    'a configuration network cannot depend on another configuration network',
  );
  await rejects(
    { Name: 'x', ConfigFrom, Labels: { a: 'b' } },
    403,
    'user-specified configurations are not supported if the network depends on a configuration network',
  );
  await rejects({ Name: 'x', ConfigFrom }, 501, 'configuration-only networks are not implemented yet');
  await rejects({ Name: 'x', ConfigOnly: true }, 501, 'configuration-only networks are not implemented yet');
  await rejects({ Name: 'x', Ingress: true }, 403, 'Ingress network can only be global scope network');
  await rejects({ Name: 'x', Scope: 'swarm' }, 403, 'cannot create a swarm scoped network when swarm is not active');
  await rejects({ Name: 'x', Scope: 'global' }, 501, 'networks of scope global are not implemented yet');
});

const uses = [
  { containerId: 'c1', name: 'web', endpointId: 'e1', mac: '02:00:00:00:00:01', ipv4: '10.5.1.0/16', ipv6: '' },
];
const service = (changes: Partial<NetworkService> = {}): Partial<NetworkService> => ({
  get: (ref) => {
    if (ref !== 'back') throw new NetyardError('not-found', `network ${ref} not found`);
    const config = { network: 'back', aliases: ['db'], addresses: { v4: '10.5.0.7' } };
    return { record, uses, stopped: () => [{ containerId: 'c2', name: 'idle', config }] };
  },
  ...changes,
});

test('inspect shows a network with its running containers, and on request with the stopped ones', async (t) => {
  const server = await serve(t, { networks: service() });
  const get = async (path: string) => JSON.parse((await server.send('GET', path)).body);
  const shown = {
    Name: 'back',
    Id: record.id,
    Created: '2026-11-23T20:00:00.000000000Z',
    Scope: 'local',
    Driver: 'bridge',
    EnableIPv4: true,
    EnableIPv6: false,
    IPAM: {
      Driver: 'default',
      Options: null,
      Config: [{ Subnet: '10.5.0.0/16', IPRange: '10.5.1.0/24', Gateway: '10.5.0.1' }],
    },
    Internal: true,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: {
      c1: {
        Name: 'web',
        EndpointID: 'e1',
        MacAddress: '02:00:00:00:00:01',
        IPv4Address: '10.5.1.0/16',
        IPv6Address: '',
      },
    },
    Options: { a: 'b' },
    Labels: { c: 'd' },
  };
  assert.deepEqual(await get('/networks/back'), shown);
  assert.deepEqual(await get('/networks/back?verbose=true&scope=local'), shown);
  assert.deepEqual((await get('/networks/back?stopped=1')).StoppedContainers, {
    c2: { Name: 'idle', Aliases: ['db'], MacAddress: '', IPv4Address: '10.5.0.7', IPv6Address: '' },
  });
  assert.equal((await get('/networks/back?scope=swarm')).message, 'network back not found');
  assert.equal(
    (await get('/networks/back?verbose=x')).message,
    'invalid value for verbose: x: strconv.ParseBool: parsing "x": invalid syntax',
  );
});

test('dry runs of create and rm print what they would do', async (t) => {
  const calls: unknown[] = [];
  const operation = { action: 'create', object: { kind: 'bridge', name: 'br-1', up: true } } as const;
  const server = await serve(
    t,
    {},
    {
      list: () => [record],
      planCreate: async ({ name }) => {
        calls.push(name);
        return [operation];
      },
      planRemove: async (ref) => {
        calls.push(ref);
        return [];
      },
    },
  );
  const created = await server.send('POST', '/networks/create?dryRun=1', { body: { Name: 'front' } });
  assert.equal(created.status, 200);
  assert.deepEqual(JSON.parse(created.body).Operations, [
    { action: 'create', description: 'bridge', shell: 'create bridge' },
  ]);
  const existing = await server.send('POST', '/networks/create?dryRun=1', { body: { Name: 'back' } });
  assert.equal(existing.status, 409);
  const removed = await server.send('DELETE', '/networks/back?dryRun=1');
  assert.deepEqual([removed.status, JSON.parse(removed.body).Operations], [200, []]);
  assert.deepEqual(calls, ['front', 'back']);
});

test('prune answers null when there was nothing to remove', async (t) => {
  let removed: string[] = [];
  const server = await serve(t, { networks: service({ prune: async () => removed }) });
  const prune = async () => JSON.parse((await server.send('POST', '/networks/prune')).body);
  assert.deepEqual(await prune(), { NetworksDeleted: null });
  removed = ['back'];
  assert.deepEqual(await prune(), { NetworksDeleted: ['back'] });
});

test('connect reads the settings of the endpoint, and ignores what inspect adds to them', async (t) => {
  const calls: unknown[] = [];
  const connect = async (...call: unknown[]): Promise<void> => void calls.push(call);
  const server = await serve(t, { networks: service({ connect }) });
  const settings = {
    IPAMConfig: { IPv4Address: '10.5.0.7', LinkLocalIPs: ['169.254.1.1'] },
    Links: ['db:store'],
    Aliases: ['web', 'c045c82e85bd'],
    DriverOpts: { a: 'b' },
    GwPriority: 3,
  };
  // What Watchtower sends: the settings as inspect showed them.
  const state = {
    MacAddress: '02:42:0a:05:00:07',
    NetworkID: record.id,
    EndpointID: 'e1',
    Gateway: '10.5.0.1',
    IPAddress: '10.5.0.7',
    IPPrefixLen: 16,
    IPv6Gateway: '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    DNSNames: ['web'],
  };
  const send = async (version: string): Promise<unknown> => {
    const body = { Container: 'c1', EndpointConfig: { ...settings, ...state } };
    const answer = await server.send('POST', `/v${version}/networks/back/connect`, { body });
    assert.deepEqual([answer.status, answer.body], [200, '']);
    return calls.pop();
  };
  const read = {
    network: 'back',
    addresses: { v4: '10.5.0.7' },
    aliases: ['web', 'c045c82e85bd'],
    links: ['db:store'],
    linkLocalAddresses: ['169.254.1.1'],
    driverOptions: { a: 'b' },
  };
  assert.deepEqual(await send('1.47'), ['back', 'c1', read]);
  assert.deepEqual(await send('1.51'), ['back', 'c1', { ...read, gatewayPriority: 3 }]);
  assert.deepEqual(translateEndpointRequest('back', null), { network: 'back' });
});

test('a stopped container shows the networks that it will be connected to', () => {
  const endpoints = [{ networkId: record.id, config: { network: 'back', aliases: ['db'], gatewayPriority: 2 } }];
  const config = { ...someConfig, networkMode: { kind: 'network', ref: 'back' } as const, hostname: 'host' };
  const inspected = (minor: number) =>
    translateContainerInspect(
      { ...details, record: { ...someRecord, config }, network: undefined, endpoints },
      { major: 1, minor },
    ).NetworkSettings.Networks;
  const { back } = inspected(51);
  assert.deepEqual([back?.NetworkID, back?.EndpointID, back?.GwPriority], [record.id, '', 2]);
  assert.deepEqual([back?.Aliases, back?.IPAddress, back?.IPAMConfig], [['db'], '', null]);
  assert.deepEqual(inspected(44)['back']?.Aliases, ['db', 'c045c82e85bd', 'host']);
});
