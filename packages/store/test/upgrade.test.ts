/**
 * Stores of the version before addresses per family. The fixtures are a database as SQL and its record files, written by
 * that version: networks bridge, host, none and front, three running containers, a stopped one, a link and a peer.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, test } from 'node:test';
import { type Logger, silentLogger } from '@netyard/core';
import type { EndpointRecord } from '@netyard/network';
import { openDataRoot, recoverState, type Store } from '../src/index.ts';

const fixture = (name: string): string => readFileSync(join(import.meta.dirname, 'fixtures', name), 'utf8');
const idOf = (digit: number): string => String(digit).repeat(64);
const front = 'f'.repeat(64);

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'netyard-upgrade-'));
  const records = JSON.parse(fixture('version-3-records.json')) as Record<string, string>;
  for (const [name, text] of Object.entries(records)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  for (const digit of [1, 2, 3, 4]) mkdirSync(join(root, 'overlay', 'containers', idOf(digit)), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true }));

function writeDatabase(change = ''): void {
  const database = new DatabaseSync(join(root, 'netyard.db'));
  database.exec(fixture('version-3.sql') + change);
  database.close();
}

const warnings: string[] = [];
const logger: Logger = { ...silentLogger, warn: (text) => void warnings.push(text) };

/** Compares everything that the fixtures contain, in the current shape. */
function checkContent(store: Store): void {
  const networks = new Map(store.networks().map((network) => [network.name, network]));
  assert.deepEqual([...networks.keys()].sort(), ['bridge', 'front', 'host', 'none']);
  const bridge = networks.get('bridge');
  assert.deepEqual(bridge?.ipam, { driver: 'default', v4: [{ subnet: '172.17.0.0/16', gateway: '172.17.0.1' }] });
  assert.equal(bridge.created, 1_700_000_000_000_000_000n);
  assert.ok(!('enableIpv6' in bridge));
  assert.deepEqual(networks.get('front')?.ipam.v4, [
    { subnet: '10.5.0.0/24', gateway: '10.5.0.1', range: '10.5.0.128/25', auxAddresses: { router: '10.5.0.2' } },
  ]);
  assert.deepEqual(networks.get('none')?.ipam, { driver: 'default', v4: [] });

  const sandboxes = new Map(store.sandboxes().map((sandbox) => [sandbox.config.name, sandbox]));
  assert.deepEqual([...sandboxes.keys()].sort(), ['api', 'db', 'lonely', 'web']);
  assert.deepEqual(
    ['db', 'web', 'api'].map((name) => sandboxes.get(name)?.state?.endpoints.map(({ addresses }) => addresses)),
    [
      [{ v4: { address: '172.17.0.2', prefixLength: 16, gateway: '172.17.0.1' } }],
      [{ v4: { address: '172.17.0.3', prefixLength: 16, gateway: '172.17.0.1' } }],
      [{ v4: { address: '10.5.0.9', prefixLength: 24, gateway: '10.5.0.1' } }],
    ],
  );
  assert.equal(sandboxes.get('lonely')?.state, undefined);
  const requested = {
    ...{ network: 'front', macAddress: '02:42:0a:05:00:09', aliases: ['backend'], gatewayPriority: 5 },
    ...{ linkLocalAddresses: ['169.254.3.4'], addresses: { v4: '10.5.0.9' } },
  };
  const api = sandboxes.get('api');
  assert.deepEqual([api?.config.endpoints, api?.state?.endpoints[0]?.config], [[requested], requested]);
  assert.equal(api?.state?.endpoints[0]?.mac, '02:42:0a:05:00:09');
  assert.match(api.state.endpoints[0].hostLink, /^ny-[0-9a-f]{12}$/);
  assert.deepEqual(sandboxes.get('web')?.state?.ports, [
    { protocol: 'tcp', containerPort: 80, hostAddress: '0.0.0.0', hostPort: 8801 },
  ]);
  const container = store.containers().find(({ name }) => name === 'api');
  assert.deepEqual(container?.config.endpoints, [requested]);

  const [bridgeId = ''] = [bridge.id];
  assert.deepEqual(
    store.leases(bridgeId).map(({ address, containerId }) => [address, containerId]),
    [
      ['172.17.0.2', idOf(1)],
      ['172.17.0.3', idOf(2)],
    ],
  );
  assert.deepEqual(store.leases(front), [{ address: '10.5.0.9', containerId: idOf(3) }]);
  const [link] = store.links();
  assert.deepEqual([link?.parentId, link?.alias, link?.childId], [idOf(2), 'database', idOf(1)]);
  assert.deepEqual(
    store.peers().map(({ name, address, subnets }) => ({ name, address, subnets })),
    [{ name: 'server2', address: '172.16.2.102', subnets: ['192.168.12.0/24'] }],
  );
}

const bridgeCursor = (store: Store): string | undefined =>
  store.cursor(store.networks().find(({ name }) => name === 'bridge')?.id ?? '', 'v4');

test('a data root of the version before opens with all networks, addresses, endpoints, links and peers', () => {
  writeDatabase();
  for (const _again of [1, 2]) {
    warnings.length = 0;
    const store = openDataRoot(root, { logger });
    checkContent(store);
    assert.equal(bridgeCursor(store), '172.17.0.3');
    store.close();
    assert.deepEqual(warnings, []);
  }
});

test('record files of the version before rebuild a lost database', () => {
  const { needed, lines } = recoverState(root);
  assert.ok(needed, lines.join('\n'));
  const store = openDataRoot(root, { logger: silentLogger });
  checkContent(store);
  store.close();
});

test('a change after the upgrade is read back from a record file when the database is lost', () => {
  writeDatabase();
  const first = openDataRoot(root, { logger: silentLogger });
  const network = first.networks().find(({ name }) => name === 'front');
  assert.ok(network);
  first.putNetwork({ ...network, ipam: { ...network.ipam, v6: [{ subnet: 'fd00:5::/64' }] } });
  const addresses = { v6: { address: 'fd00:5::2', prefixLength: 64 } };
  first.putEndpoint({ id: 'e1', name: 'pod', endpoint: { networkId: front, addresses } } as EndpointRecord);
  first.close();
  rmSync(join(root, 'netyard.db'));
  recoverState(root);
  const second = openDataRoot(root, { logger: silentLogger });
  assert.deepEqual(second.networks().find(({ name }) => name === 'front')?.ipam.v6, [{ subnet: 'fd00:5::/64' }]);
  assert.deepEqual(
    second.endpoints().map(({ name }) => name),
    ['pod'],
  );
  assert.ok(second.leases(front).some(({ address, containerId }) => address === 'fd00:5::2' && containerId === 'e1'));
  second.close();
});

test('an upgrade that fails half-way names the damaged row and leaves the database as it was', () => {
  writeDatabase(`UPDATE sandboxes SET state = '{"endpoints":' WHERE container_id = '${idOf(3)}';`);
  const message = new RegExp(`does not match the containers .*the row ${idOf(3)} of sandboxes is damaged: `);
  assert.throws(() => openDataRoot(root, { logger: silentLogger }), message);
  const database = new DatabaseSync(join(root, 'netyard.db'));
  assert.equal(database.prepare('PRAGMA user_version').get()?.['user_version'], 3);
  assert.equal(database.prepare('SELECT count(*) AS n FROM cursors WHERE address LIKE ?').get('172.%')?.['n'], 1);
  database.close();
  recoverState(root);
  const store = openDataRoot(root, { logger: silentLogger });
  checkContent(store);
  store.close();
});
