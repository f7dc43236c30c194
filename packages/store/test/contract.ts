/** The contract of every store: one suite for SQLite now, and for others that may come. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { ContainerRecord, ImageRecord, VolumeRecord } from '@netyard/engine';
import type { EndpointRecord, NetworkRecord } from '@netyard/network';
import type { PeerRecord } from '@netyard/peers';
import type { SandboxConfig, SandboxState } from '@netyard/sandbox';
import type { Store } from '../src/index.ts';

/** Records are stored whole and not inspected, so a part of one is enough to distinguish them. */
const network = (id: string, name = id) => ({ id, name, created: 1_700_000_000_123_456_789n }) as NetworkRecord;
const sandbox = (containerId: string, name = containerId) =>
  ({ containerId, name, links: ['b', 'a'] }) as SandboxConfig;
const running = (id: string) => ({ id, ports: [{ hostPort: 80 }] }) as unknown as SandboxState;
const container = (id: string, name = id) => ({ id, name, created: 5n, layers: [] as string[] }) as ContainerRecord;

/** `open` returns an empty store; it is closed after each test. */
export function describeStore(name: string, open: () => Store): void {
  describe(`the contract of stores: ${name}`, () => {
    let store: Store;
    beforeEach(() => {
      store = open();
    });
    afterEach(() => store.close());

    test('records come back unchanged, are replaced when stored again, and are gone when deleted', () => {
      store.putNetwork(network('n1', 'bridge'));
      store.putNetwork(network('n2', 'none'));
      store.putNetwork(network('n1', 'renamed'));
      assert.deepEqual(store.networks(), [network('n1', 'renamed'), network('n2', 'none')]);
      store.deleteNetwork('n2');
      store.deleteNetwork('never');
      assert.deepEqual(store.networks(), [network('n1', 'renamed')]);

      store.putContainer(container('c1', 'web'));
      store.putContainer(container('c1', 'other'));
      assert.deepEqual(store.containers(), [container('c1', 'other')]);
      store.deleteContainer('c1');
      assert.deepEqual(store.containers(), []);

      const image = { id: 'sha256:1', tags: ['a:b'], lastTagged: 0n } as ImageRecord;
      store.putImage(image);
      assert.deepEqual(store.images(), [image]);
      store.deleteImage(image.id);
      assert.deepEqual(store.images(), []);

      const volume = { name: 'v', labels: { $bigint: '1' } as Record<string, string> } as VolumeRecord;
      store.putVolume(volume);
      assert.deepEqual(store.volumes(), [volume]);
      store.deleteVolume('v');
      assert.deepEqual(store.volumes(), []);
    });

    test('peers are identified by name', () => {
      const peer = (name: string, address: string) =>
        ({ name, address, subnets: [], created: 7n }) as unknown as PeerRecord;
      store.putPeer(peer('server2', '172.16.2.102'));
      store.putPeer(peer('server3', '172.16.2.103'));
      store.putPeer(peer('server2', '172.16.2.104'));
      assert.deepEqual(store.peers(), [peer('server2', '172.16.2.104'), peer('server3', '172.16.2.103')]);
      store.deletePeer('server2');
      store.deletePeer('never');
      assert.deepEqual(store.peers(), [peer('server3', '172.16.2.103')]);
    });

    test('attached endpoints are identified by id', () => {
      const endpoint = (id: string, name: string) =>
        ({ id, name, created: 7n, ports: [] }) as unknown as EndpointRecord;
      store.putEndpoint(endpoint('e1', 'pod'));
      store.putEndpoint(endpoint('e2', 'other'));
      store.putEndpoint(endpoint('e1', 'renamed'));
      assert.deepEqual(store.endpoints(), [endpoint('e1', 'renamed'), endpoint('e2', 'other')]);
      store.deleteEndpoint('e1');
      store.deleteEndpoint('never');
      assert.deepEqual(store.endpoints(), [endpoint('e2', 'other')]);
    });

    test('a sandbox has a state while it is stored with one', () => {
      store.putSandbox(sandbox('c1'), running('s1'));
      assert.deepEqual(store.sandboxes(), [{ config: sandbox('c1'), state: running('s1') }]);
      store.putSandbox(sandbox('c1', 'renamed'));
      assert.deepEqual(store.sandboxes(), [{ config: sandbox('c1', 'renamed') }]);
      store.deleteSandbox('c1');
      assert.deepEqual(store.sandboxes(), []);
    });

    test('a parent has one link per alias, and links keep their order', () => {
      store.putLink({ parentId: 'p', alias: 'z', childId: 'a', position: 0 });
      store.putLink({ parentId: 'p', alias: 'a', childId: 'b', position: 1 });
      store.putLink({ parentId: 'p', alias: 'z', childId: 'c', position: 0 });
      assert.deepEqual(
        store.links().map(({ alias, childId }) => [alias, childId]),
        [
          ['z', 'c'],
          ['a', 'b'],
        ],
      );
      store.deleteLink({ parentId: 'p', alias: 'z', childId: 'other' });
      assert.equal(store.links().length, 1);
    });

    test('an address has one holder in a network, and each network has a cursor per family', () => {
      store.putLease('n1', '10.0.0.2', 'a');
      store.putLease('n1', '10.0.0.2', 'b');
      store.putLease('n2', '10.0.0.2', 'c');
      assert.deepEqual(store.leases('n1'), [{ address: '10.0.0.2', containerId: 'b' }]);
      store.deleteLease('n1', '10.0.0.2');
      assert.deepEqual(store.leases('n1'), []);
      assert.equal(store.leases('n2').length, 1);
      assert.equal(store.cursor('n1', 'v4'), undefined);
      store.putCursor('n1', 'v4', '10.0.0.2');
      store.putCursor('n1', 'v4', '10.0.0.3');
      store.putCursor('n1', 'v6', 'fd00::3');
      assert.equal(store.cursor('n1', 'v4'), '10.0.0.3');
      assert.equal(store.cursor('n1', 'v6'), 'fd00::3');
      assert.equal(store.cursor('n2', 'v4'), undefined);
      store.deleteNetwork('n1');
      assert.deepEqual([store.cursor('n1', 'v4'), store.cursor('n1', 'v6')], [undefined, undefined]);
    });

    test('a transaction applies completely or not at all, across all kinds', () => {
      const work = (): never => {
        store.putNetwork(network('n1'));
        store.putContainer(container('c1'));
        store.putLease('n1', '10.0.0.2', 'c1');
        throw new Error('half-way');
      };
      assert.throws(() => store.transaction(work), /half-way/);
      assert.deepEqual([store.networks(), store.containers(), store.leases('n1')], [[], [], []]);
      const answer = store.transaction(() => {
        store.putNetwork(network('n1'));
        return 42;
      });
      assert.equal(answer, 42);
      assert.equal(store.networks().length, 1);
    });

    test('returned records belong to the caller: changing one does not change the store', () => {
      store.putNetwork(network('n1'));
      const [record] = store.networks();
      assert.ok(record);
      record.name = 'changed';
      assert.equal(store.networks()[0]?.name, 'n1');
    });
  });
}
