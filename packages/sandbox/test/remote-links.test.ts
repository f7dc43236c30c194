/**
 * Tests links to containers of other hosts, on an in-memory kernel: lookups, rejected requests and stored addresses.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import { setImmediate as yieldToLoop } from 'node:timers/promises';
import { isNetyardError, NetyardError } from '@netyard/core';
import type { ApplyReport } from '@netyard/kernel';
import type { PeerApi } from '@netyard/peers';
import { FakeKernel } from '@netyard/testkit';
import type { PeerApis, PeerContainers, RemoteName } from '../src/index.ts';
import { FakeDirectory, remote } from './fake-directory.ts';
import { Testbed } from './testbed.ts';

const api: PeerApi = { url: 'https://172.16.2.102:2376', ca: '/ca.pem', certificate: '/cert.pem', key: '/key.pem' };
const server2 = { name: 'server2', address: '172.16.2.102', subnets: ['192.168.12.0/24'] };

/** In-memory peer APIs. */
class FakeApis implements PeerApis {
  containers: RemoteName[] = [];
  isUnreachable = false;
  readonly opened = new Set<PeerContainers>();
  readonly #listeners = new Set<() => void>();

  check({ key }: PeerApi): void {
    if (key !== api.key) throw new NetyardError('invalid', `others than root can read the key ${key}`);
  }

  open(_peer: string, opened: PeerApi): PeerContainers {
    const own = new Set<() => void>();
    const containers: PeerContainers = {
      api: opened,
      find: async (ref) => {
        if (this.isUnreachable) throw new NetyardError('unavailable', 'the API of peer server2 does not answer');
        return this.containers.find(({ name, containerId }) => name === ref || containerId === ref);
      },
      changes: (listener) => {
        own.add(listener);
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
      close: () => {
        for (const listener of own) this.#listeners.delete(listener);
        this.opened.delete(containers);
      },
    };
    this.opened.add(containers);
    return containers;
  }

  async setContainers(...containers: RemoteName[]): Promise<void> {
    this.containers = containers;
    for (const listener of this.#listeners) listener();
    for (let count = 0; count < 10; count += 1) await yieldToLoop();
  }
}

/** Also writes files to the disk: the code under test reads them before it edits them. */
class KernelWithFiles extends FakeKernel {
  override async apply(...args: Parameters<FakeKernel['apply']>): Promise<ApplyReport> {
    const report = await super.apply(...args);
    for (const object of args[0].objects) if (object.kind === 'file') writeFileSync(object.path, object.content);
    return report;
  }
}

let kernel: FakeKernel;
let directory: FakeDirectory;
let apis: FakeApis;
let testbed: Testbed;

async function openTestbed(options: { cluster: boolean }): Promise<void> {
  kernel = new KernelWithFiles();
  kernel.appear({ kind: 'address', link: 'eth0', prefix: '172.16.2.101/16' });
  directory = new FakeDirectory('server1');
  apis = new FakeApis();
  const openListener = (): never => {
    throw new NetyardError('internal', 'this test opens no sockets');
  };
  testbed = new Testbed({
    kernel,
    adapters: { peerApis: apis, openListener, ...(options.cluster ? { directory } : {}) },
  });
  await testbed.networks.start([]);
}
beforeEach(() => openTestbed({ cluster: false }));
afterEach(() => testbed.close());

const refuses =
  (code: string, message: RegExp, hint = /./) =>
  (error: unknown) => {
    assert.ok(isNetyardError(error), String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    assert.match(error.hint ?? '', hint);
    return true;
  };

/** The lines of remote links in a container's hosts file. */
const lines = (id: string): string[] =>
  readFileSync(testbed.networks.state(id)?.files.hosts ?? '', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('192.168.'));

test('a link to a missing target is rejected with a hint', async () => {
  const link = (target: string) => testbed.create('parent', { links: [`${target}:web1`] });
  const unknown = /^could not get container for server2\/nginx-1: No such container: server2\/nginx-1$/;
  await assert.rejects(link('server2/nginx-1'), refuses('invalid', unknown, /use the name of a peer/));
  await testbed.networks.addPeer(server2);
  await assert.rejects(link('server2/nginx-1'), refuses('invalid', /without the address of its API/, /--api https:/));
  await testbed.networks.removePeer('server2');
  await testbed.networks.addPeer({ ...server2, api });
  await assert.rejects(link('server2/nginx-1'), refuses('invalid', /No such container: nginx-1 on server2/));
  apis.containers = [remote('server2', 'nginx-1', '8.8.8.8')];
  await assert.rejects(link('server2/nginx-1'), refuses('invalid', /returned invalid data/, /"8\.8\.8\.8"/));
  apis.containers = [remote('server2', 'a\nb', '192.168.12.2')];
  await assert.rejects(link(`server2/${'1'.repeat(64)}`), refuses('invalid', /returned invalid data/));
  apis.isUnreachable = true;
  await assert.rejects(link('server2/nginx-1'), /does not answer/);
  assert.deepEqual(testbed.store.sandboxes(), []);
  assert.equal(apis.opened.size, 0, 'no watch is left open');
  await testbed.close();
  await openTestbed({ cluster: true });
  await assert.rejects(link('server2/nginx-1'), refuses('invalid', /is published by server2$/, /--publish-name/));
});

test('the API options are validated before a peer is stored', async () => {
  const add = (part: Partial<PeerApi>) => testbed.networks.addPeer({ ...server2, api: { ...api, ...part } });
  await assert.rejects(add({ url: 'http://172.16.2.102:2375' }), refuses('invalid', /requires TLS/));
  await assert.rejects(add({ url: '172.16.2.102' }), refuses('invalid', /invalid address/));
  await assert.rejects(add({ url: 'https://a/b' }), refuses('invalid', /invalid address/));
  await assert.rejects(add({ ca: 'ca.pem' }), refuses('invalid', /--api-ca/));
  await assert.rejects(add({ key: '/other.pem' }), /others than root/);
  await assert.rejects(testbed.networks.planAddPeer({ ...server2, api: { ...api, key: '/other.pem' } }), /root/);
  assert.deepEqual(testbed.store.peers(), []);
  await add({ url: 'https://172.16.2.102' });
  assert.deepEqual(testbed.store.peers()[0]?.api, api);
});

test('a link over a peer’s API follows its events; a removed target keeps its last line', async () => {
  await testbed.networks.addPeer({ ...server2, api });
  apis.containers = [remote('server2', 'nginx-1', '192.168.12.2', 'a')];
  const parent = await testbed.run('parent', { links: ['server2/nginx-1:web1'] });
  const id = parent.containerId;
  assert.deepEqual(lines(id), ['192.168.12.2\tweb1 aaaaaaaaaaaa nginx-1']);
  assert.deepEqual(
    testbed.networks.links(id).map(({ childId, targetName, alias }) => [childId, targetName, alias]),
    [['server2/nginx-1', 'server2/nginx-1', 'web1']],
  );
  await apis.setContainers(remote('server2', 'nginx-1', '192.168.12.3', 'a'));
  assert.deepEqual(lines(id), ['192.168.12.3\tweb1 aaaaaaaaaaaa nginx-1']);
  await apis.setContainers(remote('server2', 'renamed', '192.168.12.4', 'a'));
  assert.deepEqual(
    lines(id),
    ['192.168.12.4\tweb1 aaaaaaaaaaaa renamed'],
    'the link follows the container, not its name',
  );
  await apis.setContainers(remote('server2', 'renamed', '', 'a'));
  assert.deepEqual(lines(id), ['192.168.12.4\tweb1 aaaaaaaaaaaa renamed'], 'stopped');
  await apis.setContainers();
  assert.deepEqual(lines(id), ['192.168.12.4\tweb1 aaaaaaaaaaaa renamed'], 'removed');
  await apis.setContainers(remote('server2', 'nginx-1', '192.168.12.5', 'b'));
  assert.deepEqual(lines(id), ['192.168.12.5\tweb1 bbbbbbbbbbbb nginx-1'], 'another container of that name');
  apis.isUnreachable = true;
  await apis.setContainers();
  assert.equal(lines(id).length, 1);
  testbed.networks.checkLinks(id);
  assert.equal(apis.opened.size, 1);
  await testbed.remove(id);
  assert.equal(apis.opened.size, 0);
});

test('a restarted daemon uses the last known address, looks the target up and follows it again', async () => {
  await testbed.networks.addPeer({ ...server2, api });
  apis.containers = [remote('server2', 'nginx-1', '192.168.12.2', 'a')];
  const { containerId: id } = await testbed.run('parent', { links: ['server2/nginx-1:web1'] });
  await testbed.networks.close();
  assert.equal(apis.opened.size, 0);
  apis.isUnreachable = true;
  await testbed.open().start([id]);
  assert.deepEqual(lines(id), ['192.168.12.2\tweb1 aaaaaaaaaaaa nginx-1']);
  await testbed.stop(id);
  await testbed.start(id);
  assert.deepEqual(
    lines(id),
    ['192.168.12.2\tweb1 aaaaaaaaaaaa nginx-1'],
    'starts also while the peer does not answer',
  );
  apis.isUnreachable = false;
  await apis.setContainers(remote('server2', 'nginx-1', '192.168.12.9', 'a'));
  assert.deepEqual(lines(id), ['192.168.12.9\tweb1 aaaaaaaaaaaa nginx-1']);
  await testbed.networks.removePeer('server2');
  assert.equal(apis.opened.size, 0);
  await testbed.networks.addPeer({ ...server2, api });
  assert.equal(apis.opened.size, 1);
  await testbed.networks.removeLink('parent/web1');
  assert.deepEqual(lines(id), []);
  assert.equal(apis.opened.size, 0);
});

test('start rejects a target that has never run; Docker’s own link syntax keeps its meaning', async () => {
  await testbed.networks.addPeer({ ...server2, api });
  apis.containers = [remote('server2', 'nginx-1', '', 'a')];
  const id = await testbed.create('parent', { links: ['/server2/nginx-1:/parent/web1'] });
  await assert.rejects(
    testbed.start(id),
    /Cannot link to a non running container: \/server2\/nginx-1 AS \/parent\/web1/,
  );
  await apis.setContainers(remote('server2', 'nginx-1', '192.168.12.2', 'a'));
  await testbed.start(id);
  assert.deepEqual(lines(id), ['192.168.12.2\tweb1 aaaaaaaaaaaa nginx-1']);
  const child = await testbed.run('child');
  await testbed.create('first', { links: ['/child:/first/db'] });
  assert.equal(testbed.networks.findLink('first/db')?.childId, child.containerId);
});

test('an unpublishable name is rejected if requested and warned about if published by default', async () => {
  assert.deepEqual(await testbed.networks.register(testbed.config('web', { publishName: true })), {
    warnings: ['The name is not published: this daemon has no --cluster.'],
  });
  await assert.rejects(testbed.create('a.b', { publishName: true }), refuses('invalid', /a\.b cannot be published/));
  await testbed.close();
  await openTestbed({ cluster: true });
  testbed.open({ publishNames: true });
  await testbed.networks.start([]);
  const dotted = await testbed.networks.register(testbed.config('a.b'));
  assert.match(dotted.warnings.join(), /a\.b is not published/);
  const none = await testbed.networks.register(testbed.config('n', { publishName: true, mode: { kind: 'host' } }));
  assert.match(none.warnings.join(), /no address on the default bridge/);
  const web = await testbed.run('web');
  await testbed.run('quiet', { publishName: false });
  assert.deepEqual(
    directory.published.map(({ name }) => name),
    ['web'],
  );
  const loud = await testbed.run('loud', { publishName: true });
  await assert.rejects(testbed.rename(loud.containerId, 'a.c'), refuses('invalid', /a\.c cannot be published/));
  await testbed.rename(web.containerId, 'a.d');
  assert.deepEqual(
    directory.published.map(({ name }) => name),
    ['loud'],
  );
});

test('a failed start publishes nothing', async () => {
  await testbed.close();
  await openTestbed({ cluster: true });
  const id = await testbed.create('web', { publishName: true });
  kernel.failAtStep(3);
  await assert.rejects(testbed.start(id), /EIO/);
  assert.deepEqual(directory.published, []);
});
