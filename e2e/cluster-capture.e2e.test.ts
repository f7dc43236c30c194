/**
 * `netyard capture HOST/NAME` in a cluster: hosts announce their APIs in etcd and authenticate with certificates. Of four
 * hosts, two are configured completely, one not at all, and one has wrong certificates.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { bringDown, bringUp, parseLab } from '@netyard/lab';
import { type Certificates, makeCertificates } from './support/certificates.ts';
import { cannotRun } from './support/engines.ts';
import { TestHost, until } from './support/host.ts';
import { archivePath } from './support/images.ts';

const lab = `e2e-cluster-capture-${process.pid}`;
const addresses = { node1: '172.16.0.11', node2: '172.16.0.12', node3: '172.16.0.13', node4: '172.16.0.14' };
type Name = keyof typeof addresses;
const names = Object.keys(addresses) as Name[];

describe('captures on hosts of a cluster', { skip: cannotRun('netyard') }, () => {
  let certificates: Certificates;
  /** With the same names, signed by another authority. */
  let foreign: Certificates;
  const hosts = new Map<Name, TestHost>();
  const host = (name: Name): TestHost => {
    const found = hosts.get(name);
    assert.ok(found);
    return found;
  };

  const files = (flags: readonly [string, string, string], from: Certificates, name: string): string[] =>
    [from.ca, from.certificate(name), from.key(name)].map((file, index) => `--${flags[index]}=${file}`);
  const serverFlags = (from: Certificates, name: string): string[] => [
    ...['-H', 'tcp://0.0.0.0:2376', '--tlsverify'],
    ...files(['tlscacert', 'tlscert', 'tlskey'], from, name),
  ];
  const clientFlags = (from: Certificates, name: string): string[] =>
    files(['cluster-api-ca', 'cluster-api-cert', 'cluster-api-key'], from, name);

  function labFile(): string {
    const cluster = '--cluster=etcd://172.16.0.11:2379';
    const options: Record<Name, string[]> = {
      node1: [...serverFlags(certificates, 'node1'), ...clientFlags(certificates, 'node1')],
      node2: [
        ...serverFlags(certificates, 'node2').with(1, 'tcp://172.16.0.12:2399'),
        ...clientFlags(certificates, 'node2'),
      ],
      node3: [],
      node4: [
        ...serverFlags(certificates, 'elsewhere'),
        ...clientFlags(foreign, 'node4').with(0, `--cluster-api-ca=${certificates.ca}`),
      ],
    };
    const run =
      'exec etcd --data-dir {state}/etcd --listen-client-urls http://0.0.0.0:2379 --advertise-client-urls http://{address}:2379';
    const etcd = { run, ready: 'etcdctl --endpoints http://{address}:2379 endpoint health' };
    const lines = names.map((name) => [
      name,
      {
        address: addresses[name],
        daemon: [cluster, ...options[name]],
        ...(name === 'node1' ? { services: { etcd } } : {}),
      },
    ]);
    return JSON.stringify({ name: lab, switch: '172.16.0.0/16', hosts: Object.fromEntries(lines) });
  }

  before(async () => {
    certificates = makeCertificates({ ...addresses, elsewhere: '172.16.0.99' });
    foreign = makeCertificates(addresses);
    const definition = parseLab(labFile(), 'lab');
    await bringUp(definition, { say: () => {}, signal: new AbortController().signal });
    for (const one of definition.hosts) hosts.set(one.name as Name, new TestHost('netyard', lab, one, {}));
    const loaded: Name[] = ['node1', 'node2'];
    for (const name of loaded) {
      await host(name).docker('load', '-q', '-i', archivePath('netyard-test'));
      await host(name).docker(
        'run',
        '-d',
        '--name',
        name === 'node1' ? 'client' : 'nginx-1',
        'netyard-test',
        'sleep',
        '10000',
      );
    }
    for (const name of names)
      await until(async () => {
        const states = await host(name).netyard('cluster', 'ls', '--format', '{{.State}}');
        return states === Array.from({ length: names.length }, () => 'ready').join('\n');
      }, `all hosts are ready on ${name}`);
  });
  after(async () => {
    await bringDown(lab);
    certificates.remove();
    foreign.remove();
  });

  /** Runs a capture that is rejected. @returns the message */
  async function rejection(from: Name, target: string): Promise<string> {
    const { status, stdout, stderr } = await host(from).tryNetyard('capture', target);
    assert.deepEqual([status, stdout], [1, ''], stderr);
    return stderr;
  }

  test('cluster ls shows the announced APIs', async () => {
    const shown = await host('node3').netyard('cluster', 'ls', '--format', '{{.Name}} {{.Api}}');
    assert.equal(
      shown,
      'node1 https://172.16.0.11:2376\nnode2 https://172.16.0.12:2399\nnode3 -\nnode4 https://172.16.0.14:2376',
    );
  });

  test('a container and the uplink of another host are captured', async () => {
    const address = await host('node2').docker('inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'nginx-1');
    for (const target of ['node2/nginx-1', 'node2/uplink']) {
      let isOver = false;
      const capture = host('node1')
        .tryNetyard('capture', target, '-c', '2', 'icmp')
        .finally(() => {
          isOver = true;
        });
      while (!isOver) await host('node1').docker('exec', 'client', 'ping', '-c', '1', '-W', '5', address);
      const { status, stdout, stderr } = await capture;
      assert.match(stdout, /ICMP echo re(quest|ply)/);
      assert.match(
        stderr,
        target === 'node2/uplink' ? /^listening on \w+, the uplink/ : /^listening on eth0 of container nginx-1/,
      );
      assert.equal(status, 0);
    }
    await until(
      async () => (await host('node2').sh('tail -n +2 /proc/net/packet | wc -l')).trim() === '0',
      'the capture ended on node2',
    );
  });

  test('a trace to a container of another host shows the hops on both, by name and by address', async () => {
    const address = await host('node2').docker('inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'nginx-1');
    for (const target of ['node2/nginx-1', address]) {
      const shown = await host('node1').netyard('trace', 'client', target);
      assert.match(
        shown,
        /node1 +out \w+ +predicted\n.*node2 +in +\w+\n.*node2\/nginx-1 +in +eth0\n.* answered after /s,
      );
    }
  });

  test('an error of the other host has its name as prefix', async () => {
    assert.match(
      await rejection('node1', 'node2/absent'),
      /^Error response from daemon: node2: No such container or network: absent\n/,
    );
  });

  test('the host’s own name selects its own containers', async () => {
    assert.match(await rejection('node1', 'node1/absent'), /No such container or network: absent\n/);
    assert.match(await rejection('node3', 'node3/absent'), /No such container or network: absent\n/);
  });

  test('an unknown host is rejected', async () => {
    assert.match(
      await rejection('node1', 'node7/web'),
      /^Error response from daemon: No such peer: node7\nrun `netyard peer ls` to list the peers/,
    );
  });

  test('a host that announces no API is rejected, with the missing options', async () => {
    assert.match(
      await rejection('node1', 'node3/web'),
      /daemon: host node3 announces no API for captures\non node3 start the daemon with -H tcp:\/\/172\.16\.0\.13:2376 --tlsverify/,
    );
  });

  test('a capture from a host without a client certificate is rejected, with the missing options', async () => {
    assert.match(
      await rejection('node3', 'node2/nginx-1'),
      /daemon: this host has no certificate for the API of host node2\nstart this daemon with --cluster-api-ca FILE/,
    );
  });

  test('the daemon does not start with unusable certificate files', async () => {
    const daemon = ['daemon', '--cluster=etcd://172.16.0.11:2379', ...clientFlags(certificates, 'node3')];
    const { status, stderr } = await host('node3').tryNetyard(...daemon.slice(0, -1), '--cluster-api-key=/no/such');
    assert.equal(stderr, 'failed to start daemon: --cluster-api-key: stat /no/such: no such file or directory\n');
    assert.equal(status, 1);
    const mixed = await host('node3').tryNetyard(...daemon.slice(0, -1), `--cluster-api-key=${foreign.key('node3')}`);
    assert.match(
      mixed.stderr,
      /^failed to start daemon: .*ca\.pem, .*node3\.pem and .*node3\.key cannot be used: .*key values mismatch/,
    );
  });

  test('wrong client and server certificates are reported', async () => {
    assert.match(
      await rejection('node4', 'node2/nginx-1'),
      /daemon: the API of peer node2 closed the connection without a response\ncheck that an authority of the --tlscacert at https:\/\/172\.16\.0\.12:2399 has signed .*node4\.pem\n$/,
    );
    assert.match(
      await rejection('node1', 'node4/web'),
      /daemon: the API of peer node4 is not trusted: .* 172\.16\.0\.14 is not in the cert's list: 172\.16\.0\.99\nuse a certificate at https:\/\/172\.16\.0\.14:2376 that is valid for this address/,
    );
  });

  test('a record without an API, and one with another host’s API, are rejected', async () => {
    const put = (name: string, record: object): Promise<string> =>
      host('node1').output(
        'etcdctl',
        '--endpoints',
        'http://172.16.0.11:2379',
        'put',
        `/netyard/netyard/hosts/${name}`,
        JSON.stringify(record),
      );
    const record = { id: 'x', subnets: ['10.99.250.0/24'], since: '2026-01-01T00:00:00Z' };
    await put('old', { ...record, address: '172.16.0.50' });
    await put('forged', {
      ...record,
      address: '172.16.0.51',
      subnets: ['10.99.251.0/24'],
      api: 'https://172.16.0.12:2399',
    });
    await until(async () => /forged/.test(await host('node1').netyard('peer', 'ls')), 'both records are peers');
    assert.match(await rejection('node1', 'old/web'), /host old announces no API for captures\n/);
    assert.match(
      await rejection('node1', 'forged/web'),
      /host forged announces an invalid API address: "https:\/\/172\.16\.0\.12:2399"\non forged use https:\/\/172\.16\.0\.51:PORT/,
    );
    const states = await host('node1').netyard('cluster', 'ls', '--format', '{{.Name}} {{.State}}');
    assert.match(states, /^forged problem$/m);
    assert.match(states, /^old ready$/m);
  });
});
