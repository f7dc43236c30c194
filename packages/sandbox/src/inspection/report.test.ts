/** The findings of an inspection: grade, object and fix, with and without a running daemon. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KernelObject, Observation } from '@netyard/kernel';
import type { BridgeSettings } from '@netyard/network';
import { describe } from '@netyard/network';
import { reportDrift, reportForwarding, reportRoutes, reportUnrepaired } from './report.ts';

const address: KernelObject = { kind: 'address', link: 'docker0', prefix: '172.17.0.1/16' };
const setting: KernelObject = { kind: 'sysctl', key: 'net.ipv4.conf.docker0.route_localnet', value: '1' };
const table: KernelObject = { kind: 'nft-table', family: 'ip', name: 'netyard', body: '' };
const present: Observation = { state: 'present' };
const different = (found: string): Observation => ({ state: 'different', found });

test('each object that differs is named, with the command that restores it', () => {
  const seen = [different('without the route to its subnet'), different('0'), { state: 'absent' } as const];
  assert.deepEqual(reportDrift([address, setting, table], seen, describe, { daemonRuns: false }), [
    {
      id: 'desired state',
      grade: 'broken',
      text: 'address 172.17.0.1/16 on docker0 differs: without the route to its subnet',
      fix: 'start the daemon, or: ip route replace 172.17.0.0/16 dev docker0 proto kernel scope link src 172.17.0.1',
    },
    {
      id: 'settings',
      grade: 'warning',
      text: 'sysctl net.ipv4.conf.docker0.route_localnet is 0, not 1',
      fix: 'start the daemon, or: sysctl -q -w net.ipv4.conf.docker0.route_localnet=1',
    },
    { id: 'desired state', grade: 'broken', text: 'nft table ip netyard is missing', fix: 'start the daemon' },
  ]);
});

test('beside a running daemon, what differs is contested by another program', () => {
  const [finding] = reportDrift([setting], [different('0')], describe, { daemonRuns: true });
  assert.match(finding?.fix ?? '', /^find the program that keeps changing it .*: sysctl -q -w /);
});

test('objects as planned are counted', () => {
  const checks = reportDrift([address, setting], [present, present], describe, { daemonRuns: true });
  assert.deepEqual(
    checks.map(({ grade, text }) => `${grade} ${text}`),
    ['ok 1 settings as Netyard needs them', 'ok 1 objects as planned'],
  );
});

const bridge = {
  link: 'docker0',
  v4: { subnet: '172.17.0.0/16', gateway: '172.17.0.1', prefixLength: 16 },
} as BridgeSettings;
const route = (to: string, link: string | undefined, table = 254) => ({
  family: 4 as const,
  to,
  ...(link === undefined ? {} : { link }),
  table,
  protocol: 3,
});

test('routes that take packets to containers elsewhere are found', () => {
  const found = (...routes: ReturnType<typeof route>[]): string[] =>
    reportRoutes([bridge], routes).map(({ text }) => text);
  assert.deepEqual(
    found(
      route('172.17.0.0/16', 'docker0'),
      route('default', 'eth0'),
      route('0.0.0.0/0', 'eth0'),
      route('172.16.0.0/12', 'eth0'),
      route('172.17.0.0/24', 'eth0', 100),
      route('10.0.0.0/8', 'eth0'),
      route('fe80::/64', 'eth0'),
    ),
    [],
  );
  assert.deepEqual(
    found(route('172.17.0.0/16', 'eth0'), route('172.17.0.9', 'tun0'), route('172.17.5.0/24', undefined)),
    [
      'route 172.17.0.0/16 dev eth0 takes packets to containers of docker0 (172.17.0.0/16) elsewhere',
      'route 172.17.0.9 dev tun0 takes packets to containers of docker0 (172.17.0.0/16) elsewhere',
      'route 172.17.5.0/24 takes packets to containers of docker0 (172.17.0.0/16) elsewhere',
    ],
  );
});

test('it is stated whether packets between other hosts are dropped or left alone', () => {
  const state = { enabled: true, managed: true, byDaemon: true, drops: true };
  assert.match(reportForwarding(state).text, /^enabled by Netyard for containers: .* are dropped$/);
  assert.match(reportForwarding({ ...state, drops: false }).text, /--ip-forward-no-drop: .* are left alone$/);
  assert.match(reportForwarding({ ...state, byDaemon: false }).text, /^enabled by the administrator.* left alone/);
  const off = reportForwarding({ ...state, enabled: false, managed: false });
  assert.deepEqual([off.grade, off.fix], ['warning', 'sysctl -w net.ipv4.ip_forward=1']);
});

test('a container whose inside is not repaired is information, with the reason', () => {
  const { grade, text } = reportUnrepaired({ name: 'vpn', reason: 'capability' });
  assert.equal(grade, 'info');
  assert.equal(text, 'container vpn: changes inside it are not repaired: it may change its network (CAP_NET_ADMIN)');
});
