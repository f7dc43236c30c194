/** Engines without an API: what podman prints, and the tasks of containerd by nerdctl, Kubernetes and others. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePodmanInspect, parsePodmanNetwork } from './parse-podman.ts';
import { parseTask, type Task } from './parse-task.ts';

const id = 'f769551286c4'.padEnd(64, '0');

test('a container that podman inspect prints', () => {
  const inspect = {
    ...{ Id: id, Name: 'web', ImageName: 'localhost/app:latest', Image: '823b1b', HostsPath: '/run/hosts' },
    State: { Status: 'running', Running: true, Pid: 895, FinishedAt: '0001-01-01T00:00:00Z' },
    HostConfig: { NetworkMode: 'bridge' },
    NetworkSettings: {
      SandboxKey: '/run/netns/netns-6336',
      Ports: { '80/tcp': [{ HostIp: '', HostPort: '9090' }] },
      Networks: { pods: { IPAddress: '10.66.0.2', IPPrefixLen: 24, Gateway: '10.66.0.1', Aliases: ['f769551286c4'] } },
    },
  };
  assert.deepEqual(parsePodmanInspect(inspect), {
    ...{ engine: 'podman', id, name: 'web', state: 'running', image: 'localhost/app:latest', pid: 895 },
    ...{ networkMode: 'pods', sandboxPath: '/run/netns/netns-6336', hostsPath: '/run/hosts' },
    attachments: [{ network: 'pods', addresses: ['10.66.0.2/24'], gateway: '10.66.0.1', aliases: ['f769551286c4'] }],
    ports: [{ protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 9090, containerPort: 80 }],
    ...{ exposed: [], links: [], paused: false },
  });
  const beside = parsePodmanInspect({ ...inspect, HostConfig: { NetworkMode: 'container:x' } });
  assert.deepEqual([beside?.attachments, beside?.ports], [[], []], 'they belong to the other container');
  assert.equal(parsePodmanInspect('x'), undefined);
});

test('a network that podman network ls prints', () => {
  const network = {
    ...{ name: 'pods', id, driver: 'bridge', network_interface: 'podman1', internal: true, options: { mtu: '1400' } },
    subnets: [{ subnet: '10.66.0.0/24', gateway: '10.66.0.1' }, { subnet: 'fd00:0::/64' }, { gateway: '10.1.0.1' }],
  };
  assert.deepEqual(parsePodmanNetwork(network), {
    ...{ engine: 'podman', id, name: 'pods', driver: 'bridge', link: 'podman1', internal: true, icc: true, mtu: 1400 },
    subnets: [{ subnet: '10.66.0.0/24', gateway: '10.66.0.1' }, { subnet: 'fd00::/64' }],
    options: { mtu: '1400' },
  });
  assert.equal(parsePodmanNetwork([]), undefined);
});

const task = (spec: unknown): Task => ({ id, namespace: 'default', pid: 7, spec });
const network = { type: 'network', path: '/var/run/netns/cni-1234' };

test('a task of nerdctl has its name, networks and ports in annotations', () => {
  const spec = {
    annotations: {
      ...{ 'nerdctl/name': 'web', 'nerdctl/networks': '["bridge","front"]' },
      'nerdctl/ports':
        '[{"HostPort":8080,"ContainerPort":80,"Protocol":"tcp","HostIP":"0.0.0.0"},{"HostPort":"x","ContainerPort":1}]',
    },
    linux: { namespaces: [{ type: 'pid' }, network] },
    mounts: [{ destination: '/etc/hosts', source: '/var/lib/nerdctl/1935db59/etchosts/hosts' }],
  };
  const found = parseTask(task(spec));
  assert.deepEqual([found.name, found.networkMode, found.sandboxPath], ['web', 'bridge', '/var/run/netns/cni-1234']);
  assert.deepEqual(
    found.attachments.map((each) => each.network),
    ['bridge', 'front'],
  );
  assert.deepEqual(found.ports, [{ protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 8080, containerPort: 80 }]);
  assert.equal(found.hostsPath, '/var/lib/nerdctl/1935db59/etchosts/hosts');
});

test('a task of Kubernetes is named after namespace, pod and container', () => {
  const pod = {
    'io.kubernetes.cri.sandbox-name': 'coredns-5d78',
    'io.kubernetes.cri.sandbox-namespace': 'kube-system',
  };
  const container = {
    ...{ ...pod, 'io.kubernetes.cri.container-name': 'coredns', 'io.kubernetes.cri.image-name': 'coredns:1.8' },
  };
  assert.equal(parseTask(task({ annotations: pod })).name, 'kube-system/coredns-5d78');
  const found = parseTask(task({ annotations: container, linux: { namespaces: [network] } }));
  assert.deepEqual([found.name, found.image], ['kube-system/coredns-5d78/coredns', 'coredns:1.8']);
});

test('other tasks have the name of containerd, without a network namespace they are on the host’s network', () => {
  const found = parseTask(task({ linux: { namespaces: [{ type: 'network', path: '/proc/12/ns/net' }] } }));
  assert.deepEqual([found.name, found.sandboxPath, found.networkMode], ['default/f769551286c4', undefined, undefined]);
  for (const spec of [null, [], { annotations: 7, linux: 'x' }])
    assert.equal(parseTask(task(spec)).networkMode, 'host');
});
