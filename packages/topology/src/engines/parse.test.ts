/** What engines answer, as containers and networks: dockerd 28.5, Podman 4.3 and Netyard; and what is none of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseInspect, parseSummary } from './parse-container.ts';
import { parseNetwork, parseVersion } from './parse-network.ts';

const id = 'c045c82e85bd'.padEnd(64, '0');

test('a running container of dockerd', () => {
  const inspect = {
    ...{ Id: id, Name: '/web', HostsPath: '/var/lib/docker/containers/c0/hosts', ResolvConfPath: '' },
    State: {
      Status: 'running',
      Running: true,
      Paused: false,
      Pid: 4711,
      ExitCode: 0,
      FinishedAt: '0001-01-01T00:00:00Z',
    },
    Config: { Image: 'nginx', ExposedPorts: { '80/tcp': {}, '443/tcp': {} } },
    HostConfig: {
      NetworkMode: 'front',
      Links: ['/db:/web/database'],
      PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '8080' }] },
    },
    NetworkSettings: {
      SandboxKey: '/var/run/docker/netns/0d1c7c0d1c7c',
      Ports: {
        '80/tcp': [
          { HostIp: '0.0.0.0', HostPort: '8080' },
          { HostIp: '::', HostPort: '8080' },
        ],
        '443/tcp': null,
      },
      Networks: {
        front: {
          ...{ IPAddress: '172.18.0.2', IPPrefixLen: 16, Gateway: '172.18.0.1', MacAddress: '02:42:AC:12:00:02' },
          ...{ GlobalIPv6Address: 'fd00:0:0:0::2', GlobalIPv6PrefixLen: 64, IPv6Gateway: 'fd00::1' },
          ...{ Aliases: ['www'], DNSNames: ['web', 'www', 'c045c82e85bd'] },
        },
      },
    },
  };
  assert.deepEqual(parseInspect('docker', inspect), {
    ...{ engine: 'docker', id, name: 'web', state: 'running', image: 'nginx', pid: 4711, networkMode: 'front' },
    attachments: [
      {
        ...{ network: 'front', addresses: ['172.18.0.2/16', 'fd00::2/64'], gateway: '172.18.0.1', gateway6: 'fd00::1' },
        ...{ mac: '02:42:ac:12:00:02', aliases: ['www', 'web', 'c045c82e85bd'] },
      },
    ],
    ports: [
      { protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 8080, containerPort: 80 },
      { protocol: 'tcp', hostAddress: '::', hostPort: 8080, containerPort: 80 },
    ],
    exposed: ['80/tcp', '443/tcp'],
    links: [{ target: 'db', alias: 'database' }],
    paused: false,
    sandboxPath: '/var/run/docker/netns/0d1c7c0d1c7c',
    hostsPath: '/var/lib/docker/containers/c0/hosts',
  });
});

test('a container that has ended keeps its requested ports, exit code and time', () => {
  const ended = parseInspect('netyard', {
    ...{ Id: id, Name: '/job' },
    State: { Status: 'exited', Pid: 0, ExitCode: 137, FinishedAt: '2026-11-27T20:00:00Z' },
    HostConfig: {
      NetworkMode: 'default',
      PortBindings: { '53/udp': [{ HostIp: '', HostPort: '53' }], '80/tcp': [{ HostPort: '' }, { HostPort: '1-9' }] },
    },
    NetworkSettings: { SandboxKey: '', Ports: {}, Networks: { bridge: { IPAddress: '', IPPrefixLen: 0 } } },
  });
  assert.deepEqual(
    [ended?.state, ended?.exitCode, ended?.finishedAt, ended?.pid, ended?.networkMode, ended?.sandboxPath],
    ['exited', 137, '2026-11-27T20:00:00Z', undefined, 'bridge', undefined],
  );
  assert.deepEqual(ended?.ports, [{ protocol: 'udp', hostAddress: '0.0.0.0', hostPort: 53, containerPort: 53 }]);
  assert.deepEqual(ended?.attachments, [{ network: 'bridge', addresses: [], aliases: [] }]);
});

test("Podman's states and modes have Docker's names", () => {
  const parse = (status: string, mode: string) => {
    const found = parseInspect('podman', {
      Id: id,
      Name: 'x',
      State: { Status: status },
      HostConfig: { NetworkMode: mode },
    });
    return [found?.name, found?.state, found?.networkMode];
  };
  assert.deepEqual(parse('configured', 'slirp4netns:mtu=1400'), ['x', 'created', 'slirp4netns']);
  assert.deepEqual(parse('stopped', `container:${id}`), ['x', 'exited', `container:${id}`]);
  assert.deepEqual(parse('paused', 'bridge'), ['x', 'paused', 'podman']);
  assert.deepEqual(parse('melting', 'pasta'), ['x', 'unknown', 'pasta']);
});

test('a summary is enough for name, state, addresses and ports', () => {
  const summary = {
    ...{ Id: id, Names: ['/web/db', '/db'], Image: 'redis', State: 'paused', HostConfig: { NetworkMode: 'bridge' } },
    Ports: [
      { IP: '::', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
      { PrivatePort: 81, Type: 'tcp' },
    ],
    NetworkSettings: { Networks: { bridge: { IPAddress: '172.17.0.2', IPPrefixLen: 16 } } },
  };
  assert.deepEqual(parseSummary('docker', summary), {
    ...{ engine: 'docker', id, name: 'db', state: 'paused', image: 'redis', networkMode: 'bridge' },
    attachments: [{ network: 'bridge', addresses: ['172.17.0.2/16'], aliases: [] }],
    ports: [{ protocol: 'tcp', hostAddress: '::', hostPort: 8080, containerPort: 80 }],
    ...{ exposed: [], links: [], paused: true },
  });
});

test('networks: subnets, bridge, isolation, MTU', () => {
  const network = {
    ...{ Id: id, Name: 'front', Driver: 'bridge', Internal: true },
    IPAM: {
      Config: [{ Subnet: '172.18.0.0/16', Gateway: '172.18.0.1' }, { Subnet: 'fd00::/64', Gateway: 'fd00::1/64' }, {}],
    },
    Options: { 'com.docker.network.bridge.enable_icc': 'false', 'com.docker.network.driver.mtu': '1400' },
  };
  assert.deepEqual(parseNetwork('docker', network), {
    ...{ engine: 'docker', id, name: 'front', driver: 'bridge', link: 'br-c045c82e85bd', internal: true, icc: false },
    subnets: [
      { subnet: '172.18.0.0/16', gateway: '172.18.0.1' },
      { subnet: 'fd00::/64', gateway: 'fd00::1' },
    ],
    ...{ mtu: 1400, options: network.Options },
  });
  assert.equal(parseNetwork('podman', network)?.link, undefined);
  const named = { ...network, Options: { 'com.docker.network.bridge.name': 'docker0' } };
  assert.equal(parseNetwork('docker', named)?.link, 'docker0');
});

test('the version says which engine answers', () => {
  const answer = { Version: '28.5.2', ApiVersion: '1.51' };
  assert.deepEqual(parseVersion(answer), { kind: 'docker', version: '28.5.2' });
  assert.equal(parseVersion({ ...answer, Platform: { Name: 'Netyard' } })?.kind, 'netyard');
  assert.equal(parseVersion({ ...answer, Components: [{ Name: 'Podman Engine' }] })?.kind, 'podman');
  for (const rubbish of [null, 'x', [], {}, { Version: 7, ApiVersion: '1' }])
    assert.equal(parseVersion(rubbish), undefined);
});

test('rubbish in any field leads to missing values, never to an error', () => {
  const rubbish = [null, 0, 'x', [], {}, [null], { a: [null] }, true];
  for (const value of rubbish) {
    const keys = ['State', 'Config', 'HostConfig', 'NetworkSettings', 'Ports', 'Networks', 'Names', 'IPAM', 'Options'];
    const all = Object.fromEntries(keys.map((key) => [key, value]));
    assert.equal(parseInspect('docker', { ...all, Id: id })?.state, 'unknown');
    assert.equal(parseSummary('docker', { ...all, Id: id })?.state, 'unknown');
    assert.equal(parseNetwork('docker', { ...all, Id: id, Name: 'n' })?.subnets.length, 0);
    for (const parse of [parseInspect, parseSummary, parseNetwork]) assert.equal(parse('docker', value), undefined);
    const inside = {
      NetworkSettings: { Ports: { '80/tcp': value, x: value }, Networks: { n: value } },
      HostConfig: { Links: [value, ':', 'a:b'], PortBindings: value },
    };
    assert.deepEqual(parseInspect('docker', { Id: id, ...inside })?.links, [{ target: 'a', alias: 'b' }]);
  }
});
