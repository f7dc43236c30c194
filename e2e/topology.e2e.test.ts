/**
 * `netyard topology` on a host with Netyard, the dockerd of Debian sid, Podman and `ip netns` beside each other. dockerd is
 * in NETYARD_DOCKERD, a folder that `script/unpack-dockerd DIR` filled, else Debian's own; Podman in NETYARD_PODMAN.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cannotRun } from './support/engines.ts';
import { collect, openHost, type TestHost, until } from './support/host.ts';
import { archivePath } from './support/images.ts';
import { dumpNetwork } from './support/network-dump.ts';

/** The folder of an unpacked program; none without it: dockerd finds no program by a relative PATH. */
const unpacked = (variable: string, folder: string): string[] => {
  const top = process.env[variable] ?? '';
  return existsSync(join(top, 'complete')) ? [join(top, folder)] : [];
};
const podman = unpacked('NETYARD_PODMAN', 'bin');
const withoutPodman = podman.length === 0 && 'NETYARD_PODMAN names no folder that script/unpack-podman filled';
const folders = [...podman, ...unpacked('NETYARD_DOCKERD', 'root/usr/sbin'), process.env['PATH'], '/usr/sbin', '/sbin'];
const environment = { PATH: folders.join(':') };

describe('the containers of all engines of a host', { skip: cannotRun('netyard') || cannotRun('dockerd') }, () => {
  let host: TestHost;
  const run = async (line: string): Promise<string> => {
    const { status, stdout, stderr } = await host.run(['sh', '-ec', line], { environment });
    assert.equal(status, 0, `${line}: ${stderr}`);
    return stdout;
  };
  const rows = async (): Promise<string[]> =>
    (await run(`${join(import.meta.dirname, '../bin/netyard')} topology`))
      .split('\n')
      .slice(1, -1)
      .map((row) => row.replace(/ +/g, ' ').trim());

  before(async () => {
    host = await openHost('netyard', { images: ['netyard-test'] });
    await host.docker('run', '-d', '--name', 'first', '-p', '8801:80', 'netyard-test', 'sleep', '10000');
    await run(
      'ip netns add bare; ip link add to-bare type veth peer name eth0 netns bare; ip -n bare address add 10.9.0.2/24 dev eth0; ip -n bare link set eth0 up; ip link set to-bare up',
    );
    const options = `--data-root ${host.dataFolder}/dockerd --exec-root /run/docker -p /run/docker.pid`;
    await run('rm -f /run/docker.sock'); // the lab's link to Netyard's socket
    await run(`setsid --fork dockerd ${options} -H unix:///run/docker.sock --bridge none > /run/dockerd.log 2>&1`);
    const docker = 'docker -H unix:///run/docker.sock';
    await until(async () => (await host.run(['sh', '-c', `${docker} ps`])).status === 0, 'dockerd answers');
    await run(`${docker} load -q -i ${archivePath('netyard-test')}
      ${docker} network create --subnet 10.77.0.0/24 front
      ${docker} run -d --name web --network front -p 8080:80 netyard-test nc -ll -p 80 -e cat
      ${docker} run -d --name beside --network container:web netyard-test sleep 10000
      ${docker} run --name job --network none netyard-test false || [ $? = 1 ]`);
  });
  after(() => host?.close());

  const common = [
    'server1 docker beside running container:web 10.77.0.2',
    'server1 docker job exited (1) none',
    'server1 docker web running front 10.77.0.2 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp',
    'server1 netyard first running bridge 172.17.0.2 0.0.0.0:8801->80/tcp, [::]:8801->80/tcp',
  ];

  test('Netyard, dockerd and ip netns, with names, states, addresses and ports', async () => {
    assert.deepEqual(await rows(), [...common, 'server1 - bare running 10.9.0.2']);
  });

  test('links, neighbouring ends and servers are in the JSON', async () => {
    const netyard = join(import.meta.dirname, '../bin/netyard');
    const found = JSON.parse(await run(`${netyard} topology --json`));
    const find = (name: string) => found.namespaces.find((each: { name: string }) => each.name === name);
    const web = find('beside, web');
    const eth0 = web.links.find((link: { name: string }) => link.name === 'eth0');
    const end = find('host').links.find((link: { index: number }) => link.index === eth0.peer.index);
    const front = found.networks.find((network: { name: string }) => network.name === 'front');
    const bridge = find('host').links.find((link: { index: number }) => link.index === end.masterIndex);
    assert.equal(eth0.peer.namespaceId, find('host').id);
    assert.equal(bridge.name, front.link);
    assert.deepEqual(front.subnets, [{ subnet: '10.77.0.0/24', gateway: '10.77.0.1' }]);
    const listening = web.sockets.find((socket: { port: number }) => socket.port === 80);
    assert.equal(listening.process.name, 'nc');
    assert.equal(
      found.engines.every((engine: { problem?: string }) => engine.problem === undefined),
      true,
    );
  });

  test('explain prints commands that build the network of a container of dockerd on an empty host', async () => {
    const script = await host.netyard('explain', 'web');
    assert.match(
      script,
      /^# container web of docker \([0-9a-f]{12}\), whose namespace beside shares, as observed on server1$/m,
    );
    assert.match(script, /^# the firewall rules of docker are not included, nor its published ports 8080\/tcp$/m);
    assert.equal(await host.netyard('explain', 'docker/web'), script);
    const key = await host.sh("docker -H unix:///run/docker.sock inspect -f '{{.NetworkSettings.SandboxKey}}' web");
    const replica = await openHost('netyard', { daemon: false });
    try {
      const { status, stderr } = await replica.run(['sh', '-eu'], { stdin: script });
      assert.equal(status, 0, stderr);
      const [built, original] = [await dumpNetwork(replica, '/run/netns/web'), await dumpNetwork(host, key.trim())];
      for (const part of ['links', 'routes'] as const) assert.deepEqual(built[part], original[part]);
      const front = await host.netyard('explain', 'front');
      assert.ok(
        front
          .split('\n')
          .filter((line) => line.startsWith('ip '))
          .every((line) => script.includes(line)),
      );
      assert.match(await replica.sh('ip -o address show scope global'), / br-[0-9a-f]{12} +inet 10\.77\.0\.1\/24 /);
    } finally {
      await replica.close();
    }
    const objects = JSON.parse(await host.netyard('explain', '--json', 'docker/web')) as { kind: string }[];
    assert.deepEqual(
      new Set(objects.map(({ kind }) => kind)),
      new Set(['netns', 'bridge', 'address', 'veth', 'link-state', 'route']),
    );
  });

  test('users other than root get a hint', async () => {
    const netyard = join(import.meta.dirname, '../bin/netyard');
    const as = (line: string) => host.run(['sh', '-c', `exec setpriv --reuid 65534 --clear-groups ${netyard} ${line}`]);
    const { status, stderr } = await as('topology');
    assert.match(
      stderr,
      /^netyard topology has to enter .* which only root may\nrun it with sudo: sudo netyard topology\n$/,
    );
    assert.equal(status, 1);
    const explained = await as('explain docker/web');
    assert.match(
      explained.stderr,
      /^permission denied .*\n.*\nto look among the containers of other engines: sudo netyard explain docker\/web\n$/,
    );
  });

  test('explain names what it cannot explain', async () => {
    const fails = async (...args: string[]): Promise<string> => (await host.tryNetyard('explain', ...args)).stderr;
    assert.match(await fails('job'), /^cannot explain container job of docker \([0-9a-f]{12}\): it is not running$/m);
    assert.match(await fails('docker/none'), /^cannot explain network none of docker: it has no bridge on this host$/m);
    assert.match(await fails('missing'), /^Error response from daemon: No such container, network or peer: missing$/m);
  });

  test('capture shows packets of a container of dockerd, as text and as a pcapng file', async () => {
    const netyard = join(import.meta.dirname, '../bin/netyard');
    const captured = async (
      args: string,
      pinged: string,
    ): Promise<{ stdout: string; stderr: string; status: number }> => {
      const child = host.start(['sh', '-c', `exec ${netyard} capture ${args}`], { environment });
      const ended = collect(child);
      let text = '';
      const listening = new Promise<void>((resolve) => {
        child.stderr?.on('data', (chunk: string) => {
          text += chunk;
          if (text.includes('listening on ')) resolve();
        });
      });
      await Promise.race([listening, ended.then(({ stderr }) => assert.fail(`the capture did not start: ${stderr}`))]);
      await run(pinged);
      return await ended;
    };
    const ping = 'ping -c 2 -i 0.1 10.77.0.2';
    const text = await captured('-c 2 docker/web icmp', ping);
    assert.match(
      text.stdout,
      /IP 10\.77\.0\.1 > 10\.77\.0\.2: ICMP echo request.*\n.*IP 10\.77\.0\.2 > 10\.77\.0\.1: ICMP echo reply/,
    );
    assert.match(text.stderr, /^listening on eth0 of container web of docker \([0-9a-f]{12}\), link-type EN10MB/m);
    assert.match(text.stderr, /^2 packets captured\n2 packets received by filter\n0 packets dropped by kernel$/m);
    assert.equal(text.status, 0);
    const file = await captured('-c 1 -w /run/capture.pcapng front icmp', ping);
    assert.match(file.stderr, /^listening on br-[0-9a-f]{12} of network front of docker, /m);
    assert.match(
      await run('tcpdump -nn -r /run/capture.pcapng 2>&1'),
      /IP 10\.77\.0\.1 > 10\.77\.0\.2: ICMP echo request/,
    );
    // Ctrl-C ends it with the counts.
    const interrupted = await captured('bare icmp', "kill -INT $(pgrep -f 'capture bare icmp$' | head -n 1)");
    assert.match(
      interrupted.stderr,
      /^listening on eth0 of namespace bare, .*\n0 packets captured\n0 packets received/m,
    );
    assert.equal(interrupted.status, 0);
    const fails = async (...args: string[]): Promise<string> => (await host.tryNetyard('capture', ...args)).stderr;
    assert.match(await fails('job'), /^container job of docker \([0-9a-f]{12}\) is not running$/m);
    assert.match(await fails('-i', 'eth7', 'docker/web'), /has no interface eth7\nname one with -i: lo, eth0\n$/);
    assert.match(await fails('docker/web', 'no', 'filter'), /syntax error|can't parse filter/);
    assert.equal(
      await run('tail -qn +2 /proc/net/packet /proc/[0-9]*/net/packet | wc -l'),
      '0\n',
      'no packet socket is left',
    );
  });

  test('Podman, with its API and without', { skip: withoutPodman }, async () => {
    await run(`podman load -q -i ${archivePath('netyard-test')}; podman network create --subnet 10.66.0.0/24 pods
      podman run -d --name pod --network pods -p 9090:80 netyard-test sleep 10000
      podman create --name later netyard-test sleep 10000`);
    const ofPodman = [
      'server1 podman later created podman',
      'server1 podman pod running pods 10.66.0.2 0.0.0.0:9090->80/tcp',
    ];
    const all = [...common, ...ofPodman, 'server1 - bare running 10.9.0.2'];
    assert.deepEqual(await rows(), all);
    await run(
      'mkdir -p /run/podman; setsid --fork podman system service -t 0 unix:///run/podman/podman.sock > /run/podman.log 2>&1; while ! [ -S /run/podman/podman.sock ]; do sleep 0.05; done',
    );
    assert.deepEqual(await rows(), all);
    await run('podman rm -f -t 0 pod later');
  });

  test('containers of engines that have ended are found by their containerd', async () => {
    const ids = (await run('docker -H unix:///run/docker.sock ps -q --no-trunc --filter name=web')).trim();
    await run('kill -9 $(cat /run/docker.pid); while kill -0 $(cat /run/docker.pid) 2> /dev/null; do sleep 0.02; done');
    const found = await rows();
    assert.ok(found.includes(`server1 containerd moby/${ids.slice(0, 12)} running 10.77.0.2`), found.join('\n'));
    assert.ok(found.includes(common[3] ?? ''));
    const { stderr } = await host.tryNetyard('topology');
    assert.match(stderr, /^warning: docker \(\/run\/docker\.sock\): nothing listens on the socket$/m);
  });
});
