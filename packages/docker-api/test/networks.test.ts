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
    scope: '',
    ingress: false,
    configOnly: false,
    enable: {},
    ipam: {
      driver: 'default',
      options: { g: 'h' },
      v4: [{ subnet: '10.6.0.0/16', gateway: '10.6.0.9', range: '10.6.1.0/24', auxAddresses: { router: '10.6.0.2' } }],
      v6: [],
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
  assert.deepEqual(
    [request?.name, request?.driver, request?.ipam],
    ['a/b c', 'bridge', { driver: 'default', v4: [], v6: [] }],
  );
});

test('families are passed on as requested; EnableIPv4 counts since API 1.48', async (t) => {
  const families = async (version: string, body: object) =>
    (await (await open(t, version)).create({ Name: 'x', ...body }))?.enable;
  assert.deepEqual(await families('1.48', { EnableIPv4: false, EnableIPv6: true }), { v4: false, v6: true });
  assert.deepEqual(await families('1.47', { EnableIPv4: false, EnableIPv6: true }), { v6: true });
  assert.deepEqual(await families('1.51', {}), {});
});

test('scope, ingress and the configuration of another network are passed on', async (t) => {
  const { create, send } = await open(t);
  const request = await create({
    Name: 'x',
    Scope: 'swarm',
    Ingress: true,
    ConfigOnly: true,
    ConfigFrom: { Network: 'y' },
  });
  const { scope, ingress, configOnly, configFrom } = request ?? {};
  assert.deepEqual([scope, ingress, configOnly, configFrom], ['swarm', true, true, 'y']);
  assert.equal((await send('{"Name":')).status, 400);
  assert.match((await send({ Name: 1 })).body, /invalid JSON: json: cannot unmarshal number into Go struct field/);
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

test('since API 1.52 inspect shows how many addresses are in use, with all digits', async (t) => {
  const subnetUse = () => [
    { subnet: '10.5.0.0/16', inUse: 3n, available: 65_533n },
    { subnet: 'fd00::/64', inUse: 2n, available: 2n ** 64n - 2n },
    { subnet: 'fd01::/48', inUse: 2n, available: 2n ** 80n - 2n },
  ];
  const server = await serve(t, { networks: service() }, { subnetUse });
  const { body } = await server.send('GET', '/v1.52/networks/back');
  const shown =
    '{"10.5.0.0/16":{"IPsInUse":3,"DynamicIPsAvailable":65533},"fd00::/64":{"IPsInUse":2,"DynamicIPsAvailable":18446744073709551614},"fd01::/48":{"IPsInUse":2,"DynamicIPsAvailable":18446744073709551615}}';
  assert.ok(body.includes(`"Status":{"IPAM":{"Subnets":${shown}}}`), body);
  assert.doesNotMatch((await server.send('GET', '/v1.51/networks/back')).body, /"Status"/);
});

test('inspect shows a network with its running containers, and on request with the stopped ones', async (t) => {
  const server = await serve(t, { networks: service() });
  const get = async (path: string) => JSON.parse((await server.send('GET', `/v1.51${path}`)).body);
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
        if (name === 'back') throw new NetyardError('conflict', 'network with name back already exists');
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

test('the list has the containers of each network before API 1.28 only', async (t) => {
  const use = {
    containerId: 'c1',
    name: 'web',
    endpointId: 'e1',
    mac: '02:00:00:00:00:01',
    ipv4: '10.5.0.7/16',
    ipv6: '',
  };
  const get = () => ({ record, uses: [use], stopped: () => [] });
  const server = await serve(t, { networks: service({ list: () => [record], get }) });
  for (const [version, expected] of [
    ['1.27', ['c1']],
    ['1.28', []],
  ] as const) {
    const answer = await server.send('GET', `/v${version}/networks`);
    const [shown] = JSON.parse(answer.body);
    assert.deepEqual(Object.keys(shown.Containers), expected, version);
  }
});

test('a network that is removed while the list of an old client is written has no containers', async (t) => {
  const get = () => {
    throw new NetyardError('not-found', 'network back not found');
  };
  const server = await serve(t, { networks: service({ list: () => [record], get }) });
  const answer = await server.send('GET', '/v1.24/networks');
  assert.equal(answer.status, 200);
  assert.deepEqual(JSON.parse(answer.body)[0].Containers, {});
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
  for (const version of ['1.47', '1.51'])
    assert.deepEqual(
      await send(version),
      ['back', 'c1', { ...read, gatewayPriority: 3 }],
      'of every version, as in Docker',
    );
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
