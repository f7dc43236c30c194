import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checks } from './checks.ts';
import { renderFindings } from './finding.ts';
import type { Host } from './host.ts';

/** A host with the given files and programs. */
function fakeHost(files: Record<string, string>, programs: Record<string, string>): Host {
  return {
    read: (path) => files[path],
    exists: (path) => path in files,
    list: () => [],
    find: (program) => (program in programs ? `/bin/${program}` : undefined),
    output: async (program, ...args) => programs[[program, ...args].join(' ')] ?? programs[program],
    isRoot: true,
    forwardBlocks: async () => [],
  };
}

const examine = async (host: Host) => (await Promise.all(checks.map((check) => check(host)))).flat();
const grades = async (host: Host, grade: string): Promise<string[]> =>
  (await examine(host)).filter((finding) => finding.grade === grade).map(({ id }) => id);

test('on an empty host all requirements are missing, and each finding has a fix', async () => {
  const empty = fakeHost({}, {});
  assert.deepEqual(await grades(empty, 'broken'), ['containerd', 'runtime', 'libnftables', 'overlayfs', 'cgroups']);
  for (const { grade, fix, id } of await examine(empty)) assert.equal(fix === undefined, grade === 'ok', id);
});

const healthy = {
  '/proc/sys/net/ipv4/ip_forward': '1',
  '/proc/filesystems': 'nodev\toverlay',
  '/usr/lib/libnftables.so.1': '',
  '/usr/lib/libpcap.so.1': '',
  '/sys/module/veth': '',
  '/sys/module/bridge': '',
  '/sys/module/nf_tables': '',
  '/proc/self/mounts': 'cgroup2 /sys/fs/cgroup cgroup2 rw 0 0',
  '/sys/fs/cgroup/cgroup.controllers': 'cpu memory pids',
  '/dev/net/tun': '',
};
const programs = {
  containerd: 'containerd github.com/containerd/containerd 1.7.0 abc',
  'containerd-shim-runc-v2': '',
  crun: 'crun version 1.8.1',
  tcpdump: '',
  nft: '',
};

test('a host that meets all requirements has no problems', async () => {
  const host = fakeHost(healthy, programs);
  assert.deepEqual([await grades(host, 'broken'), await grades(host, 'warning')], [[], []]);
  assert.match(renderFindings(await examine(host)), /No problems found\.\n$/);
});

test('missing capture tools are warnings', async () => {
  const { tcpdump: _tcpdump, ...others } = programs;
  const { '/usr/lib/libpcap.so.1': _libpcap, ...files } = healthy;
  const host = fakeHost(files, others);
  assert.deepEqual([await grades(host, 'broken'), await grades(host, 'warning')], [[], ['libpcap', 'tcpdump']]);
});

test('a forward chain that drops is named with its fix, for the bridges of Netyard', async () => {
  const asked: (readonly string[])[] = [];
  const finding = async (files: Record<string, string>, found: Awaited<ReturnType<Host['forwardBlocks']>>) => {
    const host: Host = {
      ...fakeHost({ ...healthy, ...files }, programs),
      list: (path: string) => (path === '/sys/class/net' ? ['lo', 'ny0'] : []),
      forwardBlocks: async (bridges) => {
        asked.push(bridges);
        return found;
      },
    };
    return (await examine(host)).filter(({ id }) => id === 'forward policy');
  };
  const [dropped] = await finding({}, [{ text: 'ip filter FORWARD drops', fix: 'accept it' }]);
  assert.equal(dropped?.grade, 'warning');
  assert.match(dropped.text, /^ip filter FORWARD drops: /);
  assert.equal(dropped.fix, 'accept it');
  assert.equal((await finding({ '/sys/class/net/ny0/ifalias': 'netyard: network bridge' }, []))[0]?.grade, 'ok');
  assert.deepEqual(asked, [['docker0'], ['ny0']]);
  assert.match((await finding({}, 'Operation not permitted'))[0]?.text ?? '', /unknown: .*Operation not permitted/);
});

test('ip_forward, foreign firewalls and br_netfilter are warnings', async () => {
  const host = fakeHost(
    { ...healthy, '/proc/sys/net/bridge/bridge-nf-call-iptables': '1', '/proc/sys/net/ipv4/ip_forward': '0' },
    {
      ...programs,
      'ufw status': 'Status: active',
      'firewall-cmd --state': 'running',
    },
  );
  const warned = await grades(host, 'warning');
  assert.deepEqual(warned, ['ip_forward', 'br_netfilter', 'ufw', 'firewalld']);
});

test('an uplink that ignores router advertisements is named, and no other link', async () => {
  const link = (name: string, forwarding: string, acceptRa: string, ...files: string[]): Record<string, string> => ({
    [`/proc/sys/net/ipv6/conf/${name}/forwarding`]: forwarding,
    [`/proc/sys/net/ipv6/conf/${name}/accept_ra`]: acceptRa,
    [`/proc/sys/net/ipv6/conf/${name}/disable_ipv6`]: '0',
    ...Object.fromEntries(files.map((file) => [`/sys/class/net/${name}/${file}`, ''])),
  });
  const files = {
    ...link('eth0', '1', '2', 'device'),
    ...link('eth1.5', '1', '1', 'device'),
    ...link('eth2', '0', '1', 'device'),
    ...link('eth3', '1', '1', 'device', 'master'),
    ...link('docker0', '1', '1'),
  };
  const links = ['lo', 'eth0', 'eth1.5', 'eth2', 'eth3', 'docker0'];
  const host: Host = { ...fakeHost({ ...healthy, ...files }, programs), list: () => links };
  const found = (await examine(host)).filter(({ id }) => id === 'router advertisements');
  assert.deepEqual(
    found.map(({ grade, text }) => `${grade} ${text}`),
    ['info eth1.5 ignores router advertisements, because it forwards IPv6 and its accept_ra is 1'],
  );
  assert.match(found[0]?.fix ?? '', /`sysctl -w net\.ipv6\.conf\.eth1\/5\.accept_ra=2`/);
});
