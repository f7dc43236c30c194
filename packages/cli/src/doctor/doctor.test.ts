import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checks, droppingChains } from './checks.ts';
import { renderFindings } from './finding.ts';
import type { Host } from './host.ts';

const listing = `table ip filter {
	chain FORWARD {
		type filter hook forward priority filter; policy drop;
	}
	chain INPUT {
		type filter hook input priority filter; policy drop;
	}
}
table inet netyard {
	chain forward {
		type filter hook forward priority filter; policy drop;
	}
}
`;

test('chains that drop what is forwarded; ours are not meant', () => {
  assert.deepEqual(droppingChains(listing), ['ip filter FORWARD']);
  assert.deepEqual(droppingChains(''), []);
});

/** A host of files and programs that are told. */
function fakeHost(files: Record<string, string>, programs: Record<string, string>): Host {
  return {
    read: (path) => files[path],
    exists: (path) => path in files,
    list: () => [],
    find: (program) => (program in programs ? `/bin/${program}` : undefined),
    output: async (program, ...args) => programs[[program, ...args].join(' ')] ?? programs[program],
    isRoot: true,
  };
}

const examine = async (host: Host) => (await Promise.all(checks.map((check) => check(host)))).flat();
const severities = async (host: Host, severity: string): Promise<string[]> =>
  (await examine(host)).filter((finding) => finding.severity === severity).map(({ check }) => check);

test('an empty host lacks everything, and each lack has a cure', async () => {
  const empty = fakeHost({}, {});
  assert.deepEqual(await severities(empty, 'broken'), ['containerd', 'runtime', 'libnftables', 'overlayfs', 'cgroups']);
  for (const { severity, cure, check } of await examine(empty))
    assert.equal(cure === undefined, severity === 'ok', check);
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

test('a healthy host', async () => {
  const host = fakeHost(healthy, programs);
  assert.deepEqual([await severities(host, 'broken'), await severities(host, 'warning')], [[], []]);
  assert.match(renderFindings(await examine(host)), /All is well\.\n$/);
});

test('what only captures need is missing', async () => {
  const { tcpdump: _tcpdump, ...others } = programs;
  const { '/usr/lib/libpcap.so.1': _libpcap, ...files } = healthy;
  const host = fakeHost(files, others);
  assert.deepEqual([await severities(host, 'broken'), await severities(host, 'warning')], [[], ['libpcap', 'tcpdump']]);
});

test('dockerd beside, firewalls, and bridged packets seen by iptables', async () => {
  const host = fakeHost(
    { ...healthy, '/proc/sys/net/bridge/bridge-nf-call-iptables': '1', '/proc/sys/net/ipv4/ip_forward': '0' },
    {
      ...programs,
      'nft list chains': listing,
      'nft list chain ip filter DOCKER-USER': 'x',
      'ufw status': 'Status: active',
      'firewall-cmd --state': 'running',
    },
  );
  const warned = await severities(host, 'warning');
  assert.deepEqual(warned, ['ip_forward', 'forward policy', 'br_netfilter', 'ufw', 'firewalld']);
  const policy = (await examine(host)).find(({ check }) => check === 'forward policy');
  assert.match(policy?.cure ?? '', /DOCKER-USER/);
});
