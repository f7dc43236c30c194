/** Tests which packets `--tunnel-firewall=false` passes by the firewall. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BypassFacts, planBypass } from './bypass.ts';
import type { OwnNetwork, PeerPath, PeerRecord } from './contract.ts';

const tunnelled: PeerPath = {
  ...{ kind: 'vxlan', link: 'ny-vxlan', gateway: '10.9.1.2', uplink: 'ens33', local: '172.16.2.101' },
  ...{ shared: false, mtu: 1450 },
};
const record: PeerRecord = {
  ...{ name: 'far', address: '10.9.1.2', via: 'auto', created: 0n },
  subnets: ['192.168.12.0/24', 'fd00:2::/64'],
};
const bridge: OwnNetwork = {
  ...{ networkName: 'bridge', link: 'docker0', subnet: '192.168.11.0/24', gateway: '192.168.11.1', acceptsPeers: true },
};
const facts: BypassFacts = {
  networks: [bridge],
  peers: [{ record, path: tunnelled }],
  indexes: new Map([
    ['docker0', 3],
    ['ny-vxlan', 4],
  ]),
};
const rulesOf = (change: Partial<BypassFacts>): string[] =>
  planBypass({ ...facts, ...change }).flatMap(({ body }) =>
    body
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => /fwd|notrack|to the host/.test(line)),
  );

test('packets between the tunnel and networks that accept peers bypass the firewall', () => {
  assert.deepEqual(rulesOf({}), [
    'ip daddr { 192.168.11.1 } accept comment "to the host"',
    'ip daddr 192.168.11.0/24 fwd ip to ip daddr device "docker0"',
    'fwd ip to ip daddr map { 192.168.12.0/24 : 10.9.1.2 } device "ny-vxlan"',
    'iifname { "docker0" } ip daddr { 192.168.12.0/24 } notrack comment "tunnel-firewall=false"',
  ]);
});

test('nothing else does', () => {
  const path = (change: Partial<PeerPath>) => rulesOf({ peers: [{ record, path: { ...tunnelled, ...change } }] });
  assert.deepEqual(path({ kind: 'route', link: 'ens33' }), []);
  assert.deepEqual(path({ link: 'ny-vxlan6', gateway: '2001:db8::2' }), []);
  assert.deepEqual(rulesOf({ peers: [{ record: { ...record, network: 'back' }, path: tunnelled }] }), []);
  assert.deepEqual(rulesOf({ peers: [{ record: { ...record, subnets: ['fd00:2::/64'] }, path: tunnelled }] }), []);
  assert.deepEqual(rulesOf({ networks: [{ ...bridge, acceptsPeers: false }] }), []);
  assert.deepEqual(rulesOf({ networks: [{ ...bridge, subnet: 'fd00:1::/64' }] }), []);
  assert.deepEqual(rulesOf({ indexes: new Map([['docker0', 3]]) }), [], 'without the tunnel');
});

test('an interface that is created again changes the tables', () => {
  const again = planBypass({ ...facts, indexes: new Map([...facts.indexes, ['docker0', 9]]) });
  assert.notDeepEqual(again, planBypass(facts));
});
