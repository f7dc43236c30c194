/** A host with namespaces, bridges and servers, and engines that answer, hang or answer something else. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createSocketServer } from 'node:net';
import { after, before, test } from 'node:test';
import { inFreshHost, pings, serve, sh } from '@netyard/testkit';
import { observeHost, observeNamespaces, surveyHost } from '@netyard/topology';

const host = inFreshHost(import.meta.url);
const servers: { close(): unknown }[] = [];
const sockets = ['docker', 'hangs', 'rubbish', 'stuck', 'refuses'].map((name) => `/run/engines/${name}.sock`);
const id = (digit: string): string => digit.repeat(64);

/** Answers as dockerd does; containers by id. */
const engine =
  (inspect: Record<string, unknown>): RequestListener =>
  (request, response) => {
    const path = (request.url ?? '').replace(/^\/v1\.\d+/, '').replace(/\?.*/, '');
    assert.equal(request.method, 'GET');
    response.setHeader('Api-Version', '1.51');
    const [, container = ''] = /^\/containers\/(\w+)\/json$/.exec(path) ?? [];
    if (container !== '' && inspect[container] === 'hangs') return;
    const answers: Record<string, unknown> = {
      '/_ping': 'OK',
      '/version': { Version: '28.5.2', ApiVersion: '1.51' },
      '/containers/json': Object.keys(inspect).map((key) => ({
        Id: key,
        Names: [`/${key.slice(0, 3)}`],
        State: 'running',
      })),
      '/networks': [
        {
          Id: id('f'),
          Name: 'front',
          Driver: 'bridge',
          IPAM: { Config: [{ Subnet: '10.1.0.0/24', Gateway: '10.1.0.1' }] },
        },
      ],
    };
    response.end(JSON.stringify(answers[path] ?? inspect[container]));
  };

async function listen(path: string, server: ReturnType<typeof createServer> | ReturnType<typeof createSocketServer>) {
  servers.push(server);
  server.listen(path);
  await once(server, 'listening');
}

before(async () => {
  if (host.skip) return;
  sh(`mount -t tmpfs none /run; mkdir -p /run/netns /run/engines /run/docker/netns
    ip netns add a; ip netns add bare; touch /run/netns/stale; touch /run/docker/netns/b; unshare --net=/run/docker/netns/b true
    ip link add br9 type bridge; ip address add 10.1.0.1/24 dev br9; ip link set br9 up`);
  for (const [ns, number] of [
    ['a', 2],
    ['bare', 3],
  ]) {
    sh(`ip link add v-${ns} type veth peer name eth0 netns ${ns}; ip link set v-${ns} master br9 up
      ip -n ${ns} link set eth0 up; ip -n ${ns} address add 10.1.0.${number}/24 dev eth0`);
  }
  sh('ip -n bare link add m0 link eth0 type macvlan; ip netns exec bare ip link set m0 netns a');
  const web = {
    ...{ Id: id('1'), Name: '/web', State: { Status: 'running', Pid: 1_000_000 } },
    NetworkSettings: {
      SandboxKey: '/var/run/netns/a',
      Networks: { front: { IPAddress: '10.1.0.2', IPPrefixLen: 24 } },
    },
  };
  const beside = {
    ...{ Id: id('2'), Name: '/beside', State: { Status: 'running', Pid: 1_000_001 } },
    ...{ HostConfig: { NetworkMode: `container:${id('1')}` }, NetworkSettings: { SandboxKey: '/var/run/netns/a' } },
  };
  const onHost = {
    Id: id('3'),
    Name: '/agent',
    State: { Status: 'running', Pid: process.pid },
    HostConfig: { NetworkMode: 'host' },
  };
  const ended = {
    Id: id('4'),
    Name: '/job',
    State: { Status: 'exited', ExitCode: 1 },
    NetworkSettings: { SandboxKey: '' },
  };
  const containers = Object.fromEntries([web, beside, onHost, ended].map((container) => [container.Id, container]));
  mkdirSync('/run/engines', { recursive: true });
  const [docker = '', hangs = '', rubbish = '', stuck = '', refuses = ''] = sockets;
  await listen(docker, createServer(engine(containers)));
  await listen(
    hangs,
    createServer(() => undefined),
  );
  await listen(
    rubbish,
    createSocketServer((client) => client.end('rubbish\n')),
  );
  await listen(stuck, createServer(engine({ [id('8')]: 'hangs', [id('9')]: { Id: id('9'), Name: '/nine' } })));
  sh(`socat UNIX-LISTEN:${refuses},unlink-close=0 /dev/null & while ! [ -S ${refuses} ]; do sleep 0.02; done; kill $!`);
});
after(() => {
  for (const server of servers) server.close();
});

test('containers, namespaces, bridges, peers and sockets of a host', host, async () => {
  await serve('/run/netns/a', 'tcp', 80, 'web');
  assert.ok(pings('/run/netns/bare', '10.1.0.2'));
  const before = sh('ip link; ip -4 address; ip netns list; ls -R /run');
  const found = await observeHost({ env: {}, sockets: sockets.slice(0, 1), socketProcesses: true });
  assert.equal(sh('ip link; ip -4 address; ip netns list; ls -R /run'), before);

  const shown = found.containers.map(({ engine, name, state, namespaceId, networkMode }) => {
    const namespace = found.namespaces.find(({ id }) => id === namespaceId);
    return [engine, name, state, namespace?.name, networkMode].join(' ');
  });
  assert.deepEqual(shown.sort(), [
    'docker agent running host host',
    'docker beside running web, beside container:web',
    'docker job exited  ',
    'docker web running web, beside ',
    'namespace b running b ',
    'namespace bare running bare ',
  ]);
  assert.deepEqual(found.networks.map(({ name, link }) => [name, link])[0], ['front', 'br9']);
  assert.ok(
    found.problems.some((problem) => /^\/run\/netns has an entry that is no namespace here.*: stale$/.test(problem)),
  );

  const [web, bare, own] = ['web, beside', 'bare', 'host'].map((name) =>
    found.namespaces.find((ns) => ns.name === name),
  );
  const eth0 = web?.links.find(({ name }) => name === 'eth0');
  const port = own?.links.find(({ name }) => name === 'v-a');
  assert.deepEqual(eth0?.peer, { namespaceId: own?.id, index: port?.index });
  assert.deepEqual(port?.peer, { namespaceId: web?.id, index: eth0?.index });
  assert.equal(own?.links.find(({ index }) => index === port?.masterIndex)?.name, 'br9');
  const inBare = bare?.links.find(({ name }) => name === 'eth0');
  assert.deepEqual(web?.links.find(({ name }) => name === 'm0')?.parent, {
    namespaceId: bare?.id,
    index: inBare?.index,
  });
  const socket = web?.sockets.find((one) => one.port === 80);
  assert.equal(socket?.process?.name, 'socat');
  assert.ok(web?.processes.some(({ pid }) => pid === socket?.process?.pid));
  assert.ok(bare?.neighbours.some(({ address, mac }) => address === '10.1.0.2' && mac === eth0?.mac));
});

test('engines that hang, refuse or answer something else are problems of theirs', host, async () => {
  // Those that answer do so in time on a busy machine, too.
  const env = { DOCKER_HOST: `unix://${sockets[0]}` };
  const { engines, containers } = await surveyHost({ env, sockets, timeout: 5000 });
  assert.deepEqual(
    engines.map(({ source, version, problem }) => [source.replace('/run/engines/', ''), version, problem]),
    [
      ['docker.sock', '28.5.2', undefined],
      ['hangs.sock', undefined, 'no answer within 5 s'],
      ['rubbish.sock', undefined, 'Parse Error: Expected HTTP/, RTSP/ or ICE/'],
      ['stuck.sock', '28.5.2', 'inspecting container 888: no answer within 5 s'],
      ['refuses.sock', undefined, 'nothing listens on the socket'],
    ],
  );
  const ofEngines = containers.filter(({ engine }) => engine === 'docker');
  assert.deepEqual(ofEngines.map(({ name, state }) => `${name} ${state}`).sort(), [
    '888 running',
    'agent running',
    'beside running',
    'job exited',
    'nine unknown',
    'web running',
  ]);
});

test('one namespace can be observed without the others', host, async () => {
  const survey = await surveyHost({ env: {}, sockets: sockets.slice(0, 1) });
  const web = survey.containers.find(({ name }) => name === 'web');
  const { namespaces } = await observeNamespaces(survey, [web?.namespaceId ?? '']);
  assert.deepEqual(
    namespaces.map(({ name, links }) => [name, links.map((link) => link.name).sort()]),
    [['web, beside', ['eth0', 'lo', 'm0']]],
  );
});
